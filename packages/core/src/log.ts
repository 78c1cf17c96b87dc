/** The part of a pino logger that the rules use. No chat text and no address is ever given to it. */
export interface Log {
  info(fields: object, text: string): void;
  warn(fields: object, text: string): void;
}
