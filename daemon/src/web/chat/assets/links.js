// Text with its web addresses made links. Built from text nodes: nothing is ever read as HTML.

const ADDRESS = /\bhttps?:\/\/[^\s<>"'`]+/giu;

/** A fragment that shows `text`, with links for http and https addresses alone. */
export function linked(text) {
  const fragment = document.createDocumentFragment();
  let end = 0;
  for (const match of text.matchAll(ADDRESS)) {
    const shown = match[0].replace(/[.,;:!?)\]}]+$/u, "");
    if (!URL.canParse?.(shown)) continue;
    fragment.append(text.slice(end, match.index), link(shown, shown));
    end = match.index + shown.length;
  }
  fragment.append(text.slice(end));
  return fragment;
}

/** A link that opens beside the chat and tells the other site nothing. */
export function link(url, shown) {
  const anchor = document.createElement("a");
  anchor.href = url;
  anchor.rel = "noopener noreferrer nofollow";
  anchor.target = "_blank";
  anchor.textContent = shown;
  return anchor;
}
