"""The commands, one module each: options and body together, imported when the command is used."""
