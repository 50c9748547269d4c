/** Spring configuration that wires the other packages; nobody imports it. */
@NullMarked
package io.idefics.config;

import org.jspecify.annotations.NullMarked;
