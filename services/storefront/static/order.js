// Follows an order to its end without a reload: asks for news, more and more rarely while there are none.
// Polling, not a held connection: a replica has few threads, and one held per customer would use them up.
"use strict";

const SHORTEST_MS = 400, LONGEST_MS = 5000;
const progress = document.getElementById("progress");
const trouble = document.getElementById("trouble");
let seen = null, pause = SHORTEST_MS;

async function look() {
  try {
    const answer = await fetch(progress.dataset.news, { headers: { Accept: "application/json" } });
    if (answer.status >= 400 && answer.status < 500 && answer.status !== 429) {
      trouble.textContent = "Please reload this page; you may have to sign in again.";
      return;
    }
    if (!answer.ok) throw new Error(answer.status);
    const news = await answer.json();
    const now = news.state + news.payment;
    if (now !== seen) {
      progress.innerHTML = news.html; // rendered and escaped by the same template as the page
      pause = SHORTEST_MS;
    }
    seen = now;
    trouble.textContent = "";
    if (news.final) return;
  } catch {
    trouble.textContent = "No news at the moment; we keep on asking.";
  }
  pause = Math.min(pause * 1.5, LONGEST_MS);
  setTimeout(look, pause);
}

setTimeout(look, pause);
