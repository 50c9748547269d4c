package io.idefics.service;

import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * What ends an answer besides its length.
 *
 * @param ids tokens that end it
 * @param names those of them that were asked for by name, with the name
 * @param strings strings that end it
 * @param isText whether the end is part of the text where it has one
 */
record Ending(Set<Integer> ids, Map<Integer, String> names, List<String> strings, boolean isText) {}
