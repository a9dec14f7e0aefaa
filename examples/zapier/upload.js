// Code by Zapier, "Run Javascript", after a step that has an audio or video file.
//
// Input Data:  file     the file of that step; Code by Zapier gets its address
//              name     its file name, with its ending
//              title    what the recording shall be called (may be left out)
//              server   https://speakr.example.com
//              token    a token with scope `write`

const crypto = require("crypto");

const { file, name, title = "", server, token } = inputData;
const fetched = await fetch(file);
if (!fetched.ok) throw new Error(`The file cannot be fetched: ${fetched.status}`);
const bytes = Buffer.from(await fetched.arrayBuffer());

// A Zap that is run again sends the same key with the same form, and the file is stored once.
const key = crypto.createHash("sha256").update(bytes).update(`\n${name}\n${title}`).digest("hex");
const boundary = `speakr-${key}`;
const part = (disposition, content) => [
  Buffer.from(`--${boundary}\r\nContent-Disposition: form-data; ${disposition}\r\n\r\n`),
  Buffer.from(content),
  Buffer.from("\r\n"),
];
const form = Buffer.concat([
  ...part('name="title"', title),
  ...part(`name="file"; filename="${name.replace(/["\\\r\n]/g, "_")}"`, bytes),
  Buffer.from(`--${boundary}--\r\n`),
]);

const answer = await fetch(`${server}/api/v1/recordings/upload`, {
  method: "POST",
  headers: {
    Authorization: `Bearer ${token}`,
    "Content-Type": `multipart/form-data; boundary=${boundary}`,
    "Idempotency-Key": key,
  },
  body: form,
});
const body = await answer.json();
if (answer.status !== 202) throw new Error(`${answer.status}: ${body.error}`);
output = { recording_id: body.id, title: body.title, status: body.status };
