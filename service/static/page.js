// What makes the pages comfortable: dropping files, Ctrl+Enter, copying what is to be done and the link. Without it they work all the same.
"use strict";

// What has happened is told in a live region. The same words twice are told twice: it is empty in between.
function tell(place, text) {
  place.textContent = "";
  setTimeout(() => (place.textContent = text), 100);
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

// What is to be done can be copied, and a file saved; what the page does not have as it is, has no button.
async function copy(text, select) {
  try {
    await navigator.clipboard.writeText(text);
    return "Copied.";
  } catch {
    select();
    return "Press Ctrl+C to copy.";
  }
}

function selected(element) {
  const folded = element.closest("details");
  if (folded) folded.open = true;
  const range = document.createRange();
  range.selectNodeContents(element);
  const selection = getSelection();
  selection.removeAllRanges();
  selection.addRange(range);
}

function save(text, name) {
  const address = URL.createObjectURL(new Blob([text], { type: "text/plain;charset=utf-8" }));
  const anchor = document.createElement("a");
  anchor.href = address;
  anchor.download = name;
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(address), 60000);
  return `Saved as ${name}.`;
}

function button(label, what, act) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = label;
  made.setAttribute("aria-label", `${label} ${what}`);
  made.addEventListener("click", act);
  return made;
}

for (const block of document.querySelectorAll("pre.text:not(.seen)")) {
  const name = block.dataset.name;
  const what = name || block.textContent.trim().slice(0, 60); // several commands are told apart
  const said = document.createElement("span");
  said.setAttribute("role", "status");
  const row = document.createElement("p");
  row.className = "copy";
  row.append(button("Copy", what, async () => tell(said, await copy(block.textContent, () => selected(block)))), " ");
  if (name) row.append(button("Download", what, () => tell(said, save(block.textContent, name))), " ");
  row.append(said);
  (block.closest("figure details") || block).before(row); // what is folded can be taken along without being unfolded
}

const link = document.querySelector("[data-link]");
if (link) {
  link.value = new URL(link.value, location.href).href;
  link.addEventListener("focus", () => link.select());
  const button = document.querySelector("[data-copy]");
  button.hidden = false;
  const said = document.querySelector("[data-said]");
  button.addEventListener("click", async () => tell(said, await copy(link.value, () => link.focus())));
}
