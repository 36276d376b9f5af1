import { afterEach, expect, test, vi } from "vitest";
import { ServerChat } from "../../../../static/src/server/chat";

const messages = [{ role: "user" as const, content: "Hi" }];
const server = { base: "http://localhost:1/v1", token: "", model: "m", context: null };
const silence = () => new Response("", { headers: { "content-type": "text/event-stream" } });
const error = (status: number, body: unknown) =>
  new Response(JSON.stringify(body), {
    status,
    headers: { "content-type": "application/json" },
  });

/** Answers in turn; what was asked of it. */
function answering(...responses: Response[]): Record<string, unknown>[] {
  const asked: Record<string, unknown>[] = [];
  vi.stubGlobal("location", { href: "http://localhost:2/", origin: "http://localhost:2" });
  vi.stubGlobal("fetch", async (_: string, { body }: { body: string }) => {
    asked.push(JSON.parse(body));
    return responses.shift();
  });
  return asked;
}

const ask = () =>
  new ServerChat(server).chat.completions.create({ messages, max_tokens: 100, stream: true });

afterEach(() => vi.unstubAllGlobals());

test("why a stream ended before it began is asked for without a stream", async () => {
  const said = "This model's maximum context length is 512 tokens. However, you requested 632";
  const asked = answering(
    silence(),
    error(400, { error: { message: said, code: "context_length_exceeded" } }),
  );
  await expect(ask()).rejects.toMatchObject({ code: "context-overflow" });
  expect(asked).toEqual([
    { model: "m", messages, max_tokens: 100, stream: true, stream_options: expect.anything() },
    { model: "m", messages, max_tokens: 1, stream: false },
  ]);
});

test("another fault keeps the server's own words", async () => {
  answering(silence(), error(500, { error: { message: "out of memory" } }));
  await expect(ask()).rejects.toMatchObject({
    code: "server-refused",
    values: { status: 500, said: "out of memory" },
  });
});

test("a server that has nothing against the request broke off", async () => {
  answering(silence(), error(200, { choices: [{ message: { content: "Hello" } }] }));
  await expect(ask()).rejects.toMatchObject({ code: "server-broke-off", values: { empty: true } });
});

test("a stream that broke off after it began is not asked for again", async () => {
  const chunk = `data: ${JSON.stringify({ choices: [{ delta: { role: "assistant" } }] })}\n\n`;
  const cut = new Response(chunk, { headers: { "content-type": "text/event-stream" } });
  const asked = answering(cut);
  await expect(ask()).rejects.toMatchObject({ code: "server-broke-off" });
  expect(asked).toHaveLength(1);
});
