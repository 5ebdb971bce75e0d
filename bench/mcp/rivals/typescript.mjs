// The measured server on the official TypeScript SDK, version 2, on node:http.
//
// A request of 2026-07-28 goes to `createMcpHandler`, one of an older revision to a stateless transport
// that answers with JSON (the handler's own fallback for those would answer with an event stream).

import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { createRequire } from "node:module";

const load = createRequire(`${process.env.ERLMCP_NODE_HOME}/package.json`);
const { McpServer, createMcpHandler } = load("@modelcontextprotocol/server");
const { serveStdio } = load("@modelcontextprotocol/server/stdio");
const { NodeStreamableHTTPServerTransport, toNodeHandler } = load("@modelcontextprotocol/node");
const { z } = load("zod");

const stream = process.env.BENCH_STREAM === "1";
const numbers = z.object({ a: z.number().int(), b: z.number().int() });
const text = z.object({ text: z.string() });
const sum = z.object({ result: z.number().int() });
const said = z.object({ result: z.string() });

function answer(result) {
  return { content: [{ type: "text", text: String(result) }], structuredContent: { result } };
}

function measured() {
  const server = new McpServer({ name: "bench", version: "1.0.0" });
  server.registerTool(
    "add",
    { description: "Add two integers.", inputSchema: numbers, outputSchema: sum },
    ({ a, b }) => answer(a + b),
  );
  server.registerTool(
    "echo",
    { description: "What was said.", inputSchema: text, outputSchema: said },
    ({ text }) => answer(text),
  );
  server.registerTool(
    "report",
    { description: "Add, and report progress.", inputSchema: numbers, outputSchema: sum },
    async ({ a, b }, ctx) => {
      await ctx.mcpReq.notify({
        method: "notifications/progress",
        params: { progressToken: ctx.mcpReq._meta.progressToken, progress: 1, total: 2 },
      });
      return answer(a + b);
    },
  );
  return server;
}

async function legacy(request, response) {
  const transport = new NodeStreamableHTTPServerTransport({
    sessionIdGenerator: undefined,
    enableJsonResponse: !stream,
  });
  const server = measured();
  response.on("close", () => server.close());
  await server.connect(transport);
  await transport.handleRequest(request, response);
}

const modern = toNodeHandler(
  createMcpHandler(measured, { legacy: "reject", responseMode: stream ? "sse" : "json" }),
);

function serve(request, response) {
  if (request.headers["mcp-protocol-version"] === "2026-07-28") modern(request, response);
  else legacy(request, response);
}

const [where, certificate, key] = process.argv.slice(2);
if (where === "stdio") {
  serveStdio(measured);
} else {
  const server = certificate
    ? createSecureServer({ cert: readFileSync(certificate), key: readFileSync(key) }, serve)
    : createServer(serve);
  server.keepAliveTimeout = 0; // idle connections stay open
  server.listen({ host: "127.0.0.1", port: Number(where), backlog: 4096 });
}
