// Version 2 of the official TypeScript SDK: a client of both eras.

import { answers, emit, load, requests, serve } from "./line.mjs";

const { Client, SSEClientTransport, StreamableHTTPClientTransport } = load("@modelcontextprotocol/client");
const { StdioClientTransport } = load("@modelcontextprotocol/client/stdio");

const CHANGES = [
  "notifications/message",
  "notifications/tools/list_changed",
  "notifications/prompts/list_changed",
  "notifications/resources/list_changed",
  "notifications/resources/updated",
  "notifications/elicitation/complete",
];

await serve(async (config) => {
  const capabilities = config.answers
    ? { elicitation: { form: {}, url: {} }, sampling: {}, roots: { listChanged: true } }
    : {};
  const client = new Client(
    { name: "typescript-2", version: "1" },
    { capabilities, versionNegotiation: { mode: config.era === "modern" ? "auto" : "legacy" } },
  );
  if (config.answers) {
    for (const method of ["elicitation/create", "sampling/createMessage", "roots/list"]) {
      client.setRequestHandler(method, (request) => answers(method, request.params));
    }
  }
  for (const method of CHANGES) {
    client.setNotificationHandler(method, (notification) =>
      emit({ event: "notification", method, params: notification.params }),
    );
  }
  const Transport = config.sse ? SSEClientTransport : StreamableHTTPClientTransport;
  const transport = config.url
    ? new Transport(new URL(config.url))
    : new StdioClientTransport({
        command: config.command[0],
        args: config.command.slice(1),
        cwd: config.cwd,
        env: config.env,
      });
  await client.connect(transport);
  let subscription;
  return {
    about: {
      version: client.getNegotiatedProtocolVersion(),
      server: client.getServerVersion(),
      capabilities: client.getServerCapabilities(),
      instructions: client.getInstructions(),
    },
    methods: {
      ...requests(client),
      "server/discover": (_, options) => client.discover(options),
      "tools/call": (params, options) => client.callTool(params, options),
      listen: async (filter) => {
        subscription = await client.listen(filter);
        return subscription.honoredFilter;
      },
      unlisten: async () => {
        await subscription.close();
        return { ended: await subscription.closed };
      },
      delete: async () => {
        await transport.terminateSession();
        return {};
      },
    },
    close: () => client.close(),
  };
});
