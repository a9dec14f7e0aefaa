// Check Speakr's signature in a Code node of n8n ("Run Once for All Items"), after a Webhook node whose option
// Raw Body is on. n8n needs NODE_FUNCTION_ALLOW_BUILTIN=crypto and SPEAKR_WEBHOOK_SECRET in its environment.

const { createHmac, timingSafeEqual } = require("crypto");

const OLDEST_SECONDS = 300;

// `webhook-signature` covers id, time and body, so an old request cannot be sent again.
function isGenuine(headers, body) {
  const sentAt = headers["webhook-timestamp"] ?? "";
  if (!/^\d{1,12}$/.test(sentAt) || Math.abs(Date.now() / 1000 - Number(sentAt)) > OLDEST_SECONDS) return false;
  const hmac = createHmac("sha256", $env.SPEAKR_WEBHOOK_SECRET);
  hmac.update(`${headers["webhook-id"] ?? ""}.${sentAt}.`).update(body);
  const wanted = Buffer.from("v1," + hmac.digest("base64"));
  // For a day after a rotation there are two signatures; one that fits is enough.
  return (headers["webhook-signature"] ?? "").split(" ").some((one) => {
    const given = Buffer.from(one);
    return given.length === wanted.length && timingSafeEqual(given, wanted);
  });
}

const body = await this.helpers.getBinaryDataBuffer(0, "data"); // the bytes as they came
if (!isGenuine($input.first().json.headers, body)) throw new Error("This is not from Speakr, or too old.");
return [{ json: JSON.parse(body.toString("utf8")) }];
