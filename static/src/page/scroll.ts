/** Keeps the newest text in sight, unless the person scrolled up to read. */

const NEAR = 80; // pixels from the end that still count as being there

export interface Follower {
  /** Go to the end and stay there. */
  follow(): void;
  /** The content has grown: go to the end, unless the person reads elsewhere. */
  keep(): void;
}

export function followBottom(content: HTMLElement, jump: HTMLButtonElement): Follower {
  const root = document.documentElement;
  let following = true;
  const atEnd = () => root.scrollHeight - root.scrollTop - root.clientHeight < NEAR;
  const toEnd = () => root.scrollTo({ top: root.scrollHeight });
  const follow = () => {
    following = true;
    jump.hidden = true;
    toEnd();
  };
  addEventListener(
    "scroll",
    () => {
      following = atEnd();
      jump.hidden = following;
    },
    { passive: true },
  );
  new ResizeObserver(() => {
    if (following) toEnd();
    else jump.hidden = false;
  }).observe(content);
  jump.addEventListener("click", follow);
  const keep = () => {
    if (following) toEnd();
  };
  return { follow, keep };
}
