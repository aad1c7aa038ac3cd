// What pages do for those whose browser runs scripts. Without it every page works as well: these are comforts.
'use strict';

// A page that only carries an answer on to an application need not wait for a person.
document.querySelector('form[data-submit]')?.submit();

for (const button of document.querySelectorAll('[data-reveal]')) {
  const input = document.getElementById(button.dataset.reveal);
  button.hidden = false;
  button.setAttribute('aria-pressed', 'false');
  button.addEventListener('click', () => {
    const isShown = input.type === 'password';
    input.type = isShown ? 'text' : 'password';
    button.setAttribute('aria-pressed', String(isShown));
  });
  // The password leaves the page as a password, so that no browser remembers it as ordinary text.
  input.form.addEventListener('submit', () => (input.type = 'password'));
}

for (const button of document.querySelectorAll('[data-copy]')) {
  if (!navigator.clipboard) continue;
  const source = document.getElementById(button.dataset.copy);
  const label = [...button.childNodes];
  button.hidden = false;
  button.addEventListener('click', async () => {
    await navigator.clipboard.writeText(source.innerText.trim());
    button.textContent = 'Copied';
    setTimeout(() => button.replaceChildren(...label), 2000);
  });
}

// A logo that cannot be had makes way for the letter below it.
for (const image of document.querySelectorAll('[data-logo]')) {
  image.decode().catch(() => image.remove());
}

for (const button of document.querySelectorAll('[data-print]')) {
  button.hidden = false;
  button.addEventListener('click', () => window.print());
}
