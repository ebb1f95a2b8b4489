// The pages in a real browser: what a person sees, and what the content security policy lets them.
// MAPAE_E2E_BIN names the binary, CHROMIUM the browser; SHOTS a folder for pictures.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, mkdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { chromium } from "playwright-core";

const folder = mkdtempSync(join(tmpdir(), "mapae-"));
const shots = process.env.SHOTS;
let server, browser, origin;

before(async () => {
  server = spawn(process.env.MAPAE_E2E_BIN, ["serve"], {
    cwd: folder,
    env: {
      ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("MAPAE_"))),
      MAPAE_SERVER__LISTEN: "127.0.0.1:0",
    },
    stdio: ["ignore", "ignore", "pipe"],
  });
  origin = await new Promise((resolve, reject) => {
    server.once("exit", () => reject(new Error("the server ended")));
    createInterface({ input: server.stderr }).on("line", (line) => {
      const found = line.match(/listening on (http:\/\/[0-9.:]+)/);
      if (found) resolve(found[1]);
    });
  });
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
      "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });
  if (shots) mkdirSync(shots, { recursive: true });
});

after(async () => {
  await browser?.close();
  server?.kill("SIGTERM");
  rmSync(folder, { recursive: true, force: true });
});

/** A page that fails the test when the browser complains: an error, or something that was refused. */
async function open(path, options = {}) {
  const context = await browser.newContext({ viewport: { width: 900, height: 900 }, ...options });
  const page = await context.newPage();
  const complaints = [];
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  await page.goto(origin + path);
  const done = async (name) => {
    if (shots) await page.screenshot({ path: join(shots, `${name}.png`) });
    assert.deepEqual(complaints, []);
  };
  return { page, context, done, complaints };
}

async function post(path, body, token) {
  const headers = { "Content-Type": "application/json", "Accept-Language": "ko" };
  if (token) headers.Authorization = `Bearer ${token}`;
  const answer = await fetch(origin + path, { method: "POST", headers, body: JSON.stringify(body) });
  return answer.status === 204 ? null : answer.json();
}

async function message(to) {
  for (;;) {
    const answer = await fetch(`${origin}/dev/inbox/messages?to=${encodeURIComponent(to)}`);
    const { messages } = await answer.json();
    if (messages.length > 0) return messages[0];
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

test("the inbox shows the code, copies it, and new messages come by themselves", async () => {
  await post("/v1/registrations", { email: "inbox@example.com", password: "correct horse battery" });
  const { code } = await message("inbox@example.com");
  const { page, context, done } = await open("/dev/inbox", { locale: "ko-KR" });
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  assert.equal(await page.locator(".code").first().innerText(), code);
  await page.locator("button[data-copy]").first().click();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), code);
  await post("/v1/verifications", { channel: "sms", to: "010-1234-5678" });
  await page.getByText("+821012345678").first().waitFor();
  await done("inbox-ko");
  await page.getByRole("link", { name: "HTML로 보기" }).first().click();
  await page.getByText(code, { exact: true }).waitFor();
  await done("mail-ko");
  await context.close();
});

for (const [locale, button, confirmed, again] of [
  ["ko-KR", "이메일 주소 확인", "확인되었습니다", "이미 확인되었습니다"],
  ["en-GB", "Confirm", "Confirmed", "Already confirmed"],
]) {
  test(`the button behind the link confirms once (${locale})`, async () => {
    const email = `link-${locale.toLowerCase()}@example.com`;
    const { id, registration_token } = await post("/v1/registrations", {
      email, password: "correct horse battery",
    });
    const { link } = await message(email);
    const path = new URL(link).pathname + new URL(link).search;
    const { page, context, done, complaints } = await open(path, { locale });
    await done(`verify-${locale}`);
    await page.getByRole("button", { name: button }).click();
    await page.getByRole("heading", { name: confirmed }).waitFor();
    await done(`confirmed-${locale}`);
    const headers = { Authorization: `Bearer ${registration_token}` };
    const answer = await fetch(`${origin}/v1/registrations/${id}`, { headers });
    assert.equal((await answer.json()).status, "completed");
    await page.goto(origin + path);
    await page.getByRole("button", { name: button }).click();
    await page.getByRole("heading", { name: again }).waitFor();
    // The answer's status, 409, is the one thing that the browser may mention.
    assert.ok(complaints.every((text) => text.includes("409")), complaints.join("\n"));
    await context.close();
  });
}

const password = "correct horse battery";

async function account(email) {
  const { verifications } = await post("/v1/registrations", { email, password });
  const { code } = await message(email);
  await post(`/v1/verifications/${verifications[0].id}/check`, { code });
  return (await post("/v1/tokens", { login: email, password })).access_token;
}

/** The path of the link to a page, from the messages to an address, once it has come. */
async function pathTo(page, to) {
  for (;;) {
    const answer = await fetch(`${origin}/dev/inbox/messages?to=${encodeURIComponent(to)}`);
    const found = (await answer.text()).match(new RegExp(`${page}[?]key=[A-Za-z0-9_-]+`));
    if (found) return found[0];
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

for (const [locale, button, wrong, changed] of [
  ["ko-KR", "저장", "흔히 쓰이는 비밀번호는 쓸 수 없습니다", "비밀번호가 변경되었습니다"],
  ["en-GB", "Save", "must not be a common one", "Your password was changed"],
]) {
  test(`a new password is chosen behind the link (${locale})`, async () => {
    const email = `reset-${locale.toLowerCase()}@example.com`;
    await account(email);
    await post("/v1/password-resets", { login: email });
    const path = await pathTo("/reset/password", email);
    const { page, context, done, complaints } = await open(path, { locale });
    await done(`reset-${locale}`);
    await page.locator("#password").fill("password1");
    await page.getByRole("button", { name: button }).click();
    await page.getByText(wrong).waitFor();
    if (shots) await page.screenshot({ path: join(shots, `reset-refused-${locale}.png`) });
    const better = "a better horse needs no battery";
    await page.locator("#password").fill(better);
    await page.getByRole("button", { name: button }).click();
    await page.getByRole("heading", { name: changed }).waitFor();
    if (shots) await page.screenshot({ path: join(shots, `reset-done-${locale}.png`) });
    assert.ok((await post("/v1/tokens", { login: email, password: better })).access_token);
    assert.equal((await post("/v1/tokens", { login: email, password })).code, "invalid_credentials");
    assert.ok(complaints.every((text) => text.includes("400")), complaints.join("\n"));
    await context.close();
  });
}

for (const [locale, button, undone, gone] of [
  ["ko-KR", "되돌리기", "되돌렸습니다", "더 이상"],
  ["en-GB", "Undo", "It is undone", "no longer good"],
]) {
  test(`the old address has the account back behind its link, once (${locale})`, async () => {
    const email = `old-${locale.toLowerCase()}@example.com`;
    const token = await account(email);
    const to = `new-${locale.toLowerCase()}@example.com`;
    const { id } = await post("/v1/me/contacts", { channel: "email", to }, token);
    const { code } = await message(to);
    await post(`/v1/verifications/${id}/check`, { code });
    const path = await pathTo("/undo/contact", email);
    const { page, context, done, complaints } = await open(path, { locale });
    await done(`undo-${locale}`);
    await page.getByRole("button", { name: button }).click();
    await page.getByRole("heading", { name: undone }).waitFor();
    await done(`undone-${locale}`);
    const me = await fetch(`${origin}/v1/me`, { headers: { Authorization: `Bearer ${token}` } });
    assert.equal(me.status, 401);
    await page.goto(origin + path);
    await page.getByRole("button", { name: button }).click();
    await page.getByRole("heading", { name: gone }).waitFor();
    assert.ok(complaints.every((text) => text.includes("404")), complaints.join("\n"));
    await context.close();
  });
}

test("a link that is none says so", async () => {
  const { page, context } = await open("/verify/email?key=AAAA", { locale: "en-GB" });
  await page.getByRole("button", { name: "Confirm" }).click();
  await page.getByRole("heading", { name: "This link is no longer good" }).waitFor();
  if (shots) await page.screenshot({ path: join(shots, "no-longer-good.png") });
  await context.close();
});

test("Swagger UI authorizes with a bearer token and calls an operation", async () => {
  const email = "docs@example.com";
  const { verifications } = await post("/v1/registrations", { email, password: "correct horse battery" });
  const { code } = await message(email);
  await post(`/v1/verifications/${verifications[0].id}/check`, { code });
  const pair = await post("/v1/tokens", { login: email, password: "correct horse battery" });

  const { page, context, done } = await open("/docs");
  await page.locator(".opblock").first().waitFor();
  assert.ok(await page.locator(".opblock").count() >= 18);
  await done("docs");
  await page.locator("button.authorize").first().click();
  const dialog = page.locator(".auth-container").filter({ hasText: "access_token" });
  await dialog.locator("input").fill(pair.access_token);
  await dialog.getByRole("button", { name: "Apply credentials" }).click();
  await page.locator(".btn-done").first().click();
  const operation = page.locator("#operations-Account-getProfile");
  await operation.locator(".opblock-summary-control").click();
  await operation.getByRole("button", { name: "Execute" }).click();
  await operation.locator(".live-responses-table .response-col_status").filter({ hasText: "200" }).waitFor();
  await operation.locator(".live-responses-table").getByText(email).first().waitFor();
  await done("docs-authorized");
  await context.close();
});
