// A server with version 1 of the official TypeScript SDK, as a program: `stdio`, or `http` or `sse` with the
// number of a port.

import { createServer } from "node:http";

import { load } from "../js/line.mjs";
import { QUESTION, furnish, greeted, inSessions } from "./furnishing.mjs";

const { McpServer } = load("@modelcontextprotocol/sdk/server/mcp.js");
const { StdioServerTransport } = load("@modelcontextprotocol/sdk/server/stdio.js");
const { SSEServerTransport } = load("@modelcontextprotocol/sdk/server/sse.js");
const { StreamableHTTPServerTransport } = load("@modelcontextprotocol/sdk/server/streamableHttp.js");
const { ElicitResultSchema } = load("@modelcontextprotocol/sdk/types.js");
const { z } = load("zod");

const sdk = {
  shape: (fields) => fields,
  token: (extra) => extra._meta?.progressToken,
  notify: (extra, notification) => extra.sendNotification(notification),
  greet: async (extra) =>
    greeted(await extra.sendRequest({ method: "elicitation/create", params: QUESTION }, ElicitResultSchema)),
  changed: (server) => server.sendToolListChanged(),
};

function make() {
  const server = new McpServer({ name: "typescript_1", version: "1" }, { instructions: "Try it." });
  return furnish(server, z, sdk);
}

const streams = new Map();

async function overSse(request, response) {
  if (request.method === "GET") {
    const transport = new SSEServerTransport("/messages", response);
    streams.set(transport.sessionId, transport);
    await make().connect(transport);
    return;
  }
  const { searchParams } = new URL(request.url, "http://127.0.0.1");
  const transport = streams.get(searchParams.get("sessionId"));
  if (transport === undefined) response.writeHead(404).end();
  else await transport.handlePostMessage(request, response);
}

const [kind, port] = process.argv.slice(2);
if (kind === "stdio") {
  await make().connect(new StdioServerTransport());
} else {
  const serve = kind === "sse" ? overSse : inSessions(StreamableHTTPServerTransport, make);
  createServer(serve).listen(Number(port), "127.0.0.1");
}
