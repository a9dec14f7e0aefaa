// Code by Zapier, "Run Javascript", after the trigger "Catch Raw Hook" of Webhooks by Zapier.
//
// Input Data:  body       the trigger's Raw Body
//              signature  the trigger's Headers Http Speakr Signature
//              secret     the `secret` of the webhook
//
// A Filter step behind it lets "Genuine" "Exactly matches" "yes" pass.

const crypto = require("crypto");

const { body = "", signature = "", secret = "" } = inputData;
const digest = crypto.createHmac("sha256", secret).update(body, "utf8").digest("hex");
const wanted = Buffer.from(`sha256=${digest}`);
const given = Buffer.from(signature);
const genuine = secret !== "" && given.length === wanted.length && crypto.timingSafeEqual(given, wanted);

// An error would count against the Zap, and any client could cause it; so a forgery is reported as a value.
output = { genuine: "no" };
if (genuine) {
  const { id, type, timestamp, data } = JSON.parse(body);
  output = { genuine: "yes", id, type, timestamp, ...data };
}
