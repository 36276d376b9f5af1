import type { Turn } from "../../../../../static/src/page/conversation";
import type { Conversation } from "../../../../../static/src/page/store/records";

export const ask = (content: string): Turn => ({ role: "user", content });
export const say = (content: string, finish: Turn["finish"] = "stop"): Turn => ({
  role: "assistant",
  content,
  ...(finish && { finish }),
});

export function conversation(id: string, turns: Turn[], title = ""): Conversation {
  const summary = {
    id,
    title,
    named: title !== "",
    model: "tiny",
    serverModel: "",
    server: null,
    created: Date.UTC(2026, 10, 21, 8),
    updated: Date.UTC(2026, 10, 22, 8, 15),
    system: "",
    writer: "",
  };
  return { summary, turns };
}
