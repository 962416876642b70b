// The same by program: texts to copy, with the chosen right and its kind of work in them.

// What an OpenAI client calls, by kind of work; every other kind goes by requests only.
const DOORS = {
  "text.generation": {
    path: "chat/completions",
    call: `client.chat.completions.with_raw_response.create(
    model="any",
    messages=[{"role": "user", "content": "Hello"}],
)`,
    shown: "answer.parse().choices[0].message.content",
    body: '{"model": "any", "messages": [{"role": "user", "content": "Hello"}]}',
    operation: "chat.completions",
    payload: '{"messages": [{"role": "user", "content": "Hello"}]}',
  },
  "text.embedding": {
    path: "embeddings",
    call: `client.embeddings.with_raw_response.create(
    model="any",
    input=["Hello"],
)`,
    shown: "answer.parse().data[0].embedding",
    body: '{"model": "any", "input": ["Hello"]}',
    operation: "embeddings",
    payload: '{"input": ["Hello"]}',
  },
};

function python(base, right, door) {
  return `from openai import OpenAI

client = OpenAI(
    base_url="${base}/v1",
    api_key="key_…",
    default_headers={"X-Right": "${right}"},
)
answer = ${door.call}
print(answer.headers["X-Receipt"])
print(${door.shown})`;
}

function curl(base, right, door) {
  return `curl ${base}/v1/${door.path} \\
  -H "Authorization: Bearer key_…" \\
  -H "X-Right: ${right}" \\
  -H "Content-Type: application/json" \\
  -d '${door.body}'`;
}

function rest(base, right, door, work) {
  const source = right.startsWith("pkg_") ? `"package_id": "${right}"` : `"rights": [{"right_id": "${right}"}]`;
  return `curl ${base}/api/v1/requests \\
  -H "Authorization: Bearer key_…" \\
  -H "Idempotency-Key: $RANDOM$RANDOM" \\
  -H "Content-Type: application/json" \\
  -d '{"workload": "${work}", "operation": "${door?.operation ?? work}", "units": "2000",
       ${source}, "delivery": "async",
       "payload": ${door ? JSON.stringify(door.payload) : '"{…}"'}}'`;
}

const TEXTS = { python, curl, rest };

/** `right` and `work` are the form's choices. */
export function connectSnippets(root, right, work) {
  const code = root.querySelector("code");
  const buttons = [...root.querySelectorAll("[data-shows]")];
  const only = root.querySelector("[data-only]");
  let chosen = "python";
  const draw = () => {
    const door = DOORS[work.value];
    const shown = door ? chosen : "rest";
    // An OpenAI client names a right; a package is for requests.
    const isNamed = right.value && (shown === "rest" || !right.value.startsWith("pkg_"));
    code.textContent = TEXTS[shown](root.dataset.base, isNamed ? right.value : "rgt_…", door, work.value);
    only.textContent = door ? "" : `No OpenAI client asks for ${work.value}: it goes by REST only, with a payload as the supplier takes it.`;
    for (const button of buttons) {
      button.setAttribute("aria-pressed", String(button.dataset.shows === shown));
      button.disabled = !door && button.dataset.shows !== "rest";
    }
  };
  for (const button of buttons) {
    button.addEventListener("click", () => {
      chosen = button.dataset.shows;
      draw();
    });
  }
  for (const choice of [right, work]) choice.addEventListener("change", draw);
  new MutationObserver(draw).observe(right, { childList: true });
  draw();
}
