import { expect, test } from "vitest";
import { type Piece, pieces, readPiece } from "../../../../static/src/server/stream";

const ADDRESS = "http://localhost:1/v1/chat/completions";

const chunk = (delta: unknown, finish_reason: string | null = null, more = {}) =>
  `data: ${JSON.stringify({ choices: [{ index: 0, delta, finish_reason }], ...more })}\n\n`;
const ANSWER = [
  chunk({ role: "assistant", content: null }),
  chunk({ content: "Ton " }),
  ": still here\r\n\r\n",
  chunk({ content: "brûlé 🔥" }),
  chunk({}, "length"),
  `data: ${JSON.stringify({ choices: [], usage: { prompt_tokens: 31, completion_tokens: 3, prompt_tokens_details: { cached_tokens: 8 } } })}\n\n`,
  "data: [DONE]\n\n",
].join("");

function response(parts: Uint8Array[], type = "text/event-stream; charset=utf-8") {
  const body = new ReadableStream({
    start(controller) {
      for (const part of parts) controller.enqueue(part);
      controller.close();
    },
  });
  return new Response(body, { headers: { "content-type": type } });
}

const bytes = (text: string) => new TextEncoder().encode(text);
const split = (whole: Uint8Array, size: number) =>
  Array.from({ length: Math.ceil(whole.length / size) }, (_, index) =>
    whole.slice(index * size, (index + 1) * size),
  );

async function read(found: Response): Promise<Piece[]> {
  const all: Piece[] = [];
  for await (const piece of pieces(ADDRESS, found)) all.push(piece);
  return all;
}

const text = (found: Piece[]) => found.map((piece) => piece.text).join("");

test.each([1, 2, 3, 7, 64, 4096])("an answer in parts of %i bytes", async (size) => {
  const found = await read(response(split(bytes(ANSWER), size)));
  expect(text(found)).toBe("Ton brûlé 🔥");
  expect(found.flatMap(({ finish }) => finish ?? [])).toEqual(["length"]);
  expect(found.at(-1)?.usage).toEqual({
    prompt_tokens: 31,
    completion_tokens: 3,
    cached_tokens: 8,
  });
});

test("nothing after the end mark counts", async () => {
  const found = await read(response([bytes(ANSWER + chunk({ content: "more" }))]));
  expect(text(found)).toBe("Ton brûlé 🔥");
});

test("a server may leave the end mark out, but not the end", async () => {
  const whole = await read(response([bytes(ANSWER.replace("data: [DONE]\n\n", ""))]));
  expect(text(whole)).toBe("Ton brûlé 🔥");
  const cut = ANSWER.slice(0, ANSWER.indexOf('"length"'));
  await expect(read(response([bytes(cut)]))).rejects.toMatchObject({ code: "server-broke-off" });
  await expect(read(response([]))).rejects.toMatchObject({ code: "server-broke-off" });
});

test.each([
  ["data: <html>\n\n", "server-strange"],
  ["data: 3\n\n", "server-strange"],
  ['data: {"choices": 3}\n\n', "server-strange"],
  ['data: {"error": {"message": "out of memory"}}\n\n', "server-refused"],
  [
    'data: {"error": {"message": "-", "type": "exceed_context_size_error"}}\n\n',
    "context-overflow",
  ],
  [`data: ${"x".repeat(9 * 1024 * 1024)}`, "server-strange"],
])("an event that is none", async (event, code) => {
  const stream = response(split(bytes(chunk({ content: "a" }) + event), 65536));
  await expect(read(stream)).rejects.toMatchObject({ code });
});

test.each([
  ["application/json", '{"error": {"message": "no such model"}}', "server-refused"],
  ["application/json", '{"choices": []}', "server-strange"],
  ["text/html", "<h1>Welcome</h1>", "server-strange"],
])("a good status with %s %s is no answer", async (type, body, code) => {
  await expect(read(response([bytes(body)], type))).rejects.toMatchObject({ code });
});

test("reasons to end that the page does not know are ends", () => {
  const finish = (reason: unknown) =>
    readPiece(ADDRESS, JSON.stringify({ choices: [{ delta: {}, finish_reason: reason }] })).finish;
  expect(["stop", "length", "content_filter", null, 3].map(finish)).toEqual([
    "stop",
    "length",
    "stop",
    null,
    null,
  ]);
});
