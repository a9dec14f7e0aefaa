// Receive Speakr's webhooks: check the signature, answer at once, work afterwards. Node 18 or newer, no packages.
//
// SPEAKR_WEBHOOK_SECRET=... node webhook_receiver.mjs [port]

import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";

const SECRET = process.env.SPEAKR_WEBHOOK_SECRET;
const OLDEST_SECONDS = 300;
const MAX_BODY_BYTES = 1024 * 1024;

if (!SECRET) throw new Error("SPEAKR_WEBHOOK_SECRET is not set");

// Check `webhook-signature`: it covers id, time and body, so an old request cannot be sent again.
function isGenuine(headers, body) {
  const sentAt = headers["webhook-timestamp"] ?? "";
  if (!/^\d+$/.test(sentAt) || Math.abs(Date.now() / 1000 - Number(sentAt)) > OLDEST_SECONDS) return false;
  const hmac = createHmac("sha256", SECRET);
  hmac.update(`${headers["webhook-id"] ?? ""}.${sentAt}.`).update(body);
  const wanted = Buffer.from("v1," + hmac.digest("base64"));
  // For a day after a rotation there are two signatures; one that fits is enough.
  return (headers["webhook-signature"] ?? "").split(" ").some((one) => {
    const given = Buffer.from(one);
    return given.length === wanted.length && timingSafeEqual(given, wanted);
  });
}

async function readBody(request) {
  const pieces = [];
  let size = 0;
  for await (const piece of request) {
    size += piece.length;
    if (size > MAX_BODY_BYTES) return null;
    pieces.push(piece);
  }
  return Buffer.concat(pieces); // the bytes as they came: parsed and printed again they differ
}

const seen = new Set();

function work(event) {
  if (seen.has(event.id)) return; // the same id may come twice
  seen.add(event.id);
  console.log(event.type, JSON.stringify(event.data));
}

const server = createServer(async (request, response) => {
  const body = await readBody(request).catch(() => null);
  if (body === null) return response.writeHead(413, { Connection: "close" }).end();
  if (request.method !== "POST") return response.writeHead(405, { Allow: "POST" }).end();
  if (!isGenuine(request.headers, body)) return response.writeHead(401).end();
  response.writeHead(200).end();
  setImmediate(work, JSON.parse(body)); // if you must not lose it, write it to disk before you answer
});

server.listen(Number(process.argv[2] ?? 9000), "127.0.0.1", () => {
  console.log(`Listening on http://127.0.0.1:${server.address().port}/`);
});
