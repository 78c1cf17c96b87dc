/** Two who pass each other. */
export function Mark({ moving = false }: { moving?: boolean }) {
  return (
    <svg class={moving ? 'mark moving' : 'mark'} viewBox="11 1 42 30" aria-hidden="true">
      <circle class="one" cx="25" cy="16" r="13" />
      <circle class="other" cx="39" cy="16" r="12" />
    </svg>
  );
}
