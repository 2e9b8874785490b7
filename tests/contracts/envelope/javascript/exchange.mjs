// Reads {headers, body} messages from standard input, and writes what the SDK read and how it writes it again.
import { CloudEvent, HTTP } from "cloudevents";

const chunks = [];
for await (const chunk of process.stdin) chunks.push(chunk);
const messages = JSON.parse(Buffer.concat(chunks).toString("utf8"));

const answers = messages.map(({ headers, body }) => {
  const event = HTTP.toEvent({ headers, body });
  const plain = new CloudEvent({ ...event.toJSON(), data: event.data });
  return {
    read: plain.toJSON(),
    structured: HTTP.structured(plain),
    binary: HTTP.binary(plain),
  };
});
process.stdout.write(JSON.stringify(answers));
