// A client as a program: orders come as lines of JSON, results and events go out as lines of JSON.
//
// The first line says where to connect to. Each order is {id, method, params, progress?} or
// {cancel: id} or {answer: action}. What goes out: {ready}, {id, result}, {id, error} and {event}.

import { createRequire } from "node:module";
import { createInterface } from "node:readline";

export const load = createRequire(`${process.env.ERLMCP_NODE_HOME}/package.json`);

export function emit(value) {
  process.stdout.write(JSON.stringify(value) + "\n");
}

// What a user says who agrees to everything, or whatever `answer` has ordered.
let action = "accept";

export function answers(method, params) {
  emit({ event: "asked", method, params });
  if (method === "roots/list") return { roots: [{ uri: "file:///tmp", name: "tmp" }] };
  if (method === "sampling/createMessage") {
    return { role: "assistant", content: { type: "text", text: "Hi!" }, model: "test" };
  }
  if (action !== "accept" || params.mode === "url") return { action };
  const fields = params.requestedSchema.properties;
  return { action, content: "name" in fields ? { name: "Ada" } : { ok: true } };
}

function failure(error) {
  return { code: error.code, message: String(error.message), data: error.data };
}

// The requests that a client of either SDK has the same method for, by their MCP names.
export function requests(client) {
  return {
    ping: (_, options) => client.ping(options),
    "tools/list": (params, options) => client.listTools(params, options),
    "resources/list": (params, options) => client.listResources(params, options),
    "resources/templates/list": (params, options) => client.listResourceTemplates(params, options),
    "resources/read": (params, options) => client.readResource(params, options),
    "resources/subscribe": (params, options) => client.subscribeResource(params, options),
    "resources/unsubscribe": (params, options) => client.unsubscribeResource(params, options),
    "prompts/list": (params, options) => client.listPrompts(params, options),
    "prompts/get": (params, options) => client.getPrompt(params, options),
    "completion/complete": (params, options) => client.complete(params, options),
    "logging/setLevel": (params, options) => client.setLoggingLevel(params.level, options),
  };
}

// connect(config) -> {about, methods: {method: (params, options) => promise}, close}
export async function serve(connect) {
  const running = new Map();
  let client;
  for await (const line of createInterface({ input: process.stdin })) {
    const order = JSON.parse(line);
    if (client === undefined) {
      try {
        client = await connect(order);
      } catch (error) {
        emit({ ready: null, error: failure(error) });
        process.exit(1);
      }
      emit({ ready: client.about });
    } else if ("answer" in order) {
      action = order.answer;
    } else if ("cancel" in order) {
      running.get(order.cancel)?.abort(order.reason);
    } else {
      const { id, method, params, progress } = order;
      const controller = new AbortController();
      running.set(id, controller);
      const options = { signal: controller.signal };
      if (progress) {
        options.onprogress = (value) => emit({ event: "progress", of: id, params: value });
      }
      client.methods[method](params, options)
        .then((result) => emit({ id, result }))
        .catch((error) => emit({ id, error: failure(error) }))
        .finally(() => running.delete(id));
    }
  }
  await client?.close();
  process.exit(0);
}
