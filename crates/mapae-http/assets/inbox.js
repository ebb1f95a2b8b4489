"use strict";
// Copies a code or a link, and shows new messages as they come.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-copy]");
  if (!button) return;
  await navigator.clipboard.writeText(button.dataset.copy);
  const label = button.textContent;
  button.textContent = button.dataset.done;
  setTimeout(() => { button.textContent = label; }, 1200);
});
document.addEventListener("submit", async (event) => {
  if (event.target.id !== "empty") return;
  event.preventDefault();
  await fetch("/dev/inbox/messages" + location.search, { method: "DELETE" });
  location.reload();
});
const newest = document.querySelector("main").dataset.newest;
setInterval(async () => {
  if (document.hidden) return;
  const answer = await fetch("/dev/inbox/messages" + location.search).catch(() => null);
  if (!answer || !answer.ok) return;
  const { messages } = await answer.json();
  if ((messages[0]?.id ?? "") !== newest) location.reload();
}, 2000);
