// Version 1 of the official TypeScript SDK: a client of the revisions with a handshake.

import { answers, emit, load, requests, serve } from "./line.mjs";

const { Client } = load("@modelcontextprotocol/sdk/client/index.js");
const { StdioClientTransport } = load("@modelcontextprotocol/sdk/client/stdio.js");
const { SSEClientTransport } = load("@modelcontextprotocol/sdk/client/sse.js");
const { StreamableHTTPClientTransport } = load("@modelcontextprotocol/sdk/client/streamableHttp.js");
const { WebSocketClientTransport } = load("@modelcontextprotocol/sdk/client/websocket.js");
const types = load("@modelcontextprotocol/sdk/types.js");

await serve(async (config) => {
  const capabilities = config.answers
    ? { elicitation: { form: {}, url: {} }, sampling: {}, roots: { listChanged: true } }
    : {};
  let client = new Client({ name: "typescript-1", version: "1" }, { capabilities });
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
  let Transport = StreamableHTTPClientTransport;
  if (config.sse) Transport = SSEClientTransport;
  if (config.websocket) Transport = WebSocketClientTransport;
  if (config.probe) {
    // As the SDK has it for servers of unknown age: streamable HTTP first, and HTTP+SSE if that fails.
    try {
      await client.connect(new StreamableHTTPClientTransport(new URL(config.url)));
      await client.close();
    } catch {
      Transport = SSEClientTransport;
    }
    client = new Client({ name: "typescript-1", version: "1" }, { capabilities });
  }
  const transport = config.url
    ? new Transport(new URL(config.url))
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
      transport: Transport.name,
      server: client.getServerVersion(),
      capabilities: client.getServerCapabilities(),
      instructions: client.getInstructions(),
    },
    methods: {
      ...requests(client),
      "tools/call": (params, options) => client.callTool(params, undefined, options),
      delete: async () => {
        await transport.terminateSession();
        return {};
      },
    },
    close: () => client.close(),
  };
});
