// What makes the pages comfortable: dropping files, Ctrl+Enter, copying the link. Without it they work all the same.
"use strict";

function say(text) {
  const place = document.querySelector("[data-said]");
  if (place) place.textContent = text;
}

async function fill(area, file) {
  area.value = await file.text();
  area.focus();
}

for (const field of document.querySelectorAll("[data-drop]")) {
  const area = field.querySelector("textarea");
  const input = field.querySelector("input[type=file]");
  field.addEventListener("dragover", (event) => {
    event.preventDefault();
    field.classList.add("over");
  });
  field.addEventListener("dragleave", () => field.classList.remove("over"));
  field.addEventListener("drop", (event) => {
    event.preventDefault();
    field.classList.remove("over");
    if (event.dataTransfer.files.length) fill(area, event.dataTransfer.files[0]);
  });
  // A chosen file is shown, to be seen and edited; then the text is what is sent.
  if (input) {
    input.addEventListener("change", async () => {
      if (!input.files.length) return;
      await fill(area, input.files[0]);
      input.value = "";
    });
  }
}

const form = document.getElementById("check");
if (form) {
  document.querySelector(".keys").style.display = "inline";
  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
  });
  const problem = document.getElementById("problem");
  if (problem) problem.focus();
}

const link = document.querySelector("[data-link]");
if (link) {
  link.value = new URL(link.value, location.href).href;
  link.addEventListener("focus", () => link.select());
  const button = document.querySelector("[data-copy]");
  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(link.value);
      say("Copied.");
    } catch {
      link.focus();
      say("Press Ctrl+C to copy.");
    }
  });
}
