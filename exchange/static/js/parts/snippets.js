// The same by program: texts to copy, with the chosen right in them.

function python(base, right) {
  return `from openai import OpenAI

client = OpenAI(
    base_url="${base}/v1",
    api_key="key_…",
    default_headers={"X-Right": "${right}"},
)
answer = client.chat.completions.with_raw_response.create(
    model="any",
    messages=[{"role": "user", "content": "Hello"}],
)
print(answer.headers["X-Receipt"])
print(answer.parse().choices[0].message.content)`;
}

function curl(base, right) {
  return `curl ${base}/v1/chat/completions \\
  -H "Authorization: Bearer key_…" \\
  -H "X-Right: ${right}" \\
  -H "Content-Type: application/json" \\
  -d '{"model": "any", "messages": [{"role": "user", "content": "Hello"}]}'`;
}

function rest(base, right) {
  return `curl ${base}/api/v1/requests \\
  -H "Authorization: Bearer key_…" \\
  -H "Idempotency-Key: $(uuidgen)" \\
  -H "Content-Type: application/json" \\
  -d '{"workload": "text.generation", "operation": "chat.completions", "units": "2000",
       ${right.startsWith("pkg_") ? `"package_id": "${right}"` : `"rights": [{"right_id": "${right}"}]`}, "delivery": "async",
       "payload": "{\\"messages\\": [{\\"role\\": \\"user\\", \\"content\\": \\"Hello\\"}]}"}'`;
}

const TEXTS = { python, curl, rest };

export function connectSnippets(root, right) {
  const code = root.querySelector("code");
  const buttons = [...root.querySelectorAll("[data-shows]")];
  let shown = "python";
  const draw = () => {
    // An OpenAI client names a right; a package is for requests.
    const isNamed = right.value && (shown === "rest" || !right.value.startsWith("pkg_"));
    code.textContent = TEXTS[shown](root.dataset.base, isNamed ? right.value : "rgt_…");
    for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.shows === shown));
  };
  for (const button of buttons) {
    button.addEventListener("click", () => {
      shown = button.dataset.shows;
      draw();
    });
  }
  right.addEventListener("change", draw);
  new MutationObserver(draw).observe(right, { childList: true });
  draw();
}
