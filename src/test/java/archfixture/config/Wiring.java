package archfixture.config;

/** Wires the rooms. */
public class Wiring {}
