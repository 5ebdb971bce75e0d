// A server with version 2 of the official TypeScript SDK, of both eras, as a program: `stdio`, or `http` with
// the number of a port.

import { createServer } from "node:http";

import { load } from "../js/line.mjs";
import { QUESTION, furnish, greeted, inSessions } from "./furnishing.mjs";

const { McpServer, createMcpHandler, inputRequired, inputResponse } = load("@modelcontextprotocol/server");
const { serveStdio } = load("@modelcontextprotocol/server/stdio");
const { NodeStreamableHTTPServerTransport, toNodeHandler } = load("@modelcontextprotocol/node");
const { z } = load("zod");

const sdk = {
  shape: (fields) => z.object(fields),
  token: (context) => context.mcpReq._meta?.progressToken,
  notify: (context, notification) => context.mcpReq.notify(notification),
  greet: (context) => {
    const answer = inputResponse(context.mcpReq.inputResponses, "name");
    if (answer.kind !== "missing") return greeted(answer);
    return inputRequired({ inputRequests: { name: inputRequired.elicit(QUESTION) } });
  },
  changed: (server) => server.sendToolListChanged(),
};

function make(sdk) {
  const server = new McpServer({ name: "typescript_2", version: "1" }, { instructions: "Try it." });
  return furnish(server, z, sdk);
}

const [kind, port] = process.argv.slice(2);
if (kind === "stdio") {
  serveStdio(() => make(sdk));
} else {
  // Every request of 2026-07-28 has a server of its own; whoever subscribes hears from the handler.
  const changed = () => handler.notify.toolsChanged();
  const handler = createMcpHandler(() => make({ ...sdk, changed }), { legacy: "reject" });
  const modern = toNodeHandler(handler);
  const legacy = inSessions(NodeStreamableHTTPServerTransport, () => make(sdk));
  const serve = (request, response) =>
    request.headers["mcp-protocol-version"] === "2026-07-28"
      ? modern(request, response)
      : legacy(request, response);
  createServer(serve).listen(Number(port), "127.0.0.1");
}
