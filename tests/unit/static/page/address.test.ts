import { expect, test } from "vitest";
import { addressedChat } from "../../../../static/src/page/address";

test("the fragment names a conversation", () => {
  expect(addressedChat("#chat=0a1b")).toBe("0a1b");
});

test.each(["", "#", "#input", "#chat=", "#chat=a b", "#chat=a&b=c", `#chat=${"a".repeat(65)}`])(
  "%j names none",
  (hash) => expect(addressedChat(hash)).toBe(null),
);
