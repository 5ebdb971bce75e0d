// What the servers with either version of the official TypeScript SDK offer; python.py has the same.

import { randomUUID } from "node:crypto";

export const QUESTION = {
  message: "Your name?",
  requestedSchema: { type: "object", properties: { name: { type: "string" } }, required: ["name"] },
};

function said(text) {
  return { content: [{ type: "text", text }] };
}

export function greeted({ action, content }) {
  return said(action === "accept" ? `Hello, ${content.name}!` : action);
}

// server: an McpServer. sdk: what is called otherwise in the other version: `shape(fields)` describes an
// object, `token(context)` is where progress goes, `notify(context, notification)` sends, `greet(context)`
// asks, `changed(server)` tells that there are other tools.
export function furnish(server, z, sdk) {
  server.registerTool(
    "echo",
    { description: "Say it back.", inputSchema: sdk.shape({ text: z.string() }) },
    ({ text }) => said(text),
  );
  server.registerTool(
    "weather",
    {
      description: "The weather.",
      inputSchema: sdk.shape({ city: z.string() }),
      outputSchema: sdk.shape({ city: z.string(), degrees: z.number() }),
    },
    ({ city }) => ({ ...said(city), structuredContent: { city, degrees: 21.5 } }),
  );
  server.registerTool(
    "steps",
    { description: "Report progress.", inputSchema: sdk.shape({ count: z.number().int() }) },
    async ({ count }, context) => {
      for (let progress = 1; progress <= count; progress++) {
        const params = { progressToken: sdk.token(context), progress, total: count };
        await sdk.notify(context, { method: "notifications/progress", params });
      }
      return said(`${count} steps`);
    },
  );
  server.registerTool("hang", { description: "Wait." }, () => new Promise(() => {}));
  server.registerTool("greet", { description: "Ask for a name." }, (context) => sdk.greet(context));
  server.registerTool("touch", { description: "Tell of a change." }, () => {
    sdk.changed(server);
    return said("told");
  });
  server.registerResource("card", "theirs://card", { description: "A card." }, (uri) => ({
    contents: [{ uri: uri.href, mimeType: "text/plain", text: "card" }],
  }));
  server.registerPrompt(
    "trip",
    { description: "A trip.", argsSchema: sdk.shape({ city: z.string() }) },
    ({ city }) => ({
      messages: [{ role: "user", content: { type: "text", text: `Plan a trip to ${city}.` } }],
    }),
  );
  return server;
}

// Serves clients of the revisions with a handshake: a transport and a server for each session.
export function inSessions(Transport, make) {
  const known = new Map();
  return async (request, response) => {
    const id = request.headers["mcp-session-id"];
    if (id !== undefined && !known.has(id)) {
      response.writeHead(404).end();
      return;
    }
    let transport = known.get(id);
    if (transport === undefined) {
      transport = new Transport({
        sessionIdGenerator: randomUUID,
        onsessioninitialized: (fresh) => known.set(fresh, transport),
      });
      await make().connect(transport);
    }
    await transport.handleRequest(request, response);
  };
}
