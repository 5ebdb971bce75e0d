// Version 1 of the official TypeScript SDK: a client of the revisions with a handshake.

import { answers, emit, load, serve } from "./line.mjs";

const { Client } = load("@modelcontextprotocol/sdk/client/index.js");
const { StdioClientTransport } = load("@modelcontextprotocol/sdk/client/stdio.js");
const { StreamableHTTPClientTransport } = load("@modelcontextprotocol/sdk/client/streamableHttp.js");
const types = load("@modelcontextprotocol/sdk/types.js");

await serve(async (config) => {
  const capabilities = config.answers
    ? { elicitation: { form: {}, url: {} }, sampling: {}, roots: { listChanged: true } }
    : {};
  const client = new Client({ name: "typescript-1", version: "1" }, { capabilities });
  if (config.answers) {
    for (const schema of [
      types.ElicitRequestSchema,
      types.CreateMessageRequestSchema,
      types.ListRootsRequestSchema,
    ]) {
      client.setRequestHandler(schema, (request) => answers(request.method, request.params));
    }
  }
  client.fallbackNotificationHandler = async (notification) =>
    emit({ event: "notification", ...notification });
  const transport = config.url
    ? new StreamableHTTPClientTransport(new URL(config.url))
    : new StdioClientTransport({
        command: config.command[0],
        args: config.command.slice(1),
        cwd: config.cwd,
        env: config.env,
      });
  let version = null;
  const setVersion = transport.setProtocolVersion?.bind(transport);
  transport.setProtocolVersion = (value) => {
    version = value;
    setVersion?.(value);
  };
  await client.connect(transport);
  return {
    about: {
      version,
      server: client.getServerVersion(),
      capabilities: client.getServerCapabilities(),
      instructions: client.getInstructions(),
    },
    methods: {
      ping: (_, options) => client.ping(options),
      "tools/list": (params, options) => client.listTools(params, options),
      "tools/call": (params, options) => client.callTool(params, undefined, options),
      "resources/list": (params, options) => client.listResources(params, options),
      "resources/templates/list": (params, options) => client.listResourceTemplates(params, options),
      "resources/read": (params, options) => client.readResource(params, options),
      "resources/subscribe": (params, options) => client.subscribeResource(params, options),
      "resources/unsubscribe": (params, options) => client.unsubscribeResource(params, options),
      "prompts/list": (params, options) => client.listPrompts(params, options),
      "prompts/get": (params, options) => client.getPrompt(params, options),
      "completion/complete": (params, options) => client.complete(params, options),
      "logging/setLevel": (params, options) => client.setLoggingLevel(params.level, options),
      delete: async () => {
        await transport.terminateSession();
        return {};
      },
    },
    close: () => client.close(),
  };
});
