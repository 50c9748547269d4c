package archfixture.engine;

import org.springframework.util.MultiValueMap;

/** Breaks the rule that Spring is used only at the edges. */
class UsesSpring {

    MultiValueMap<String, String> headers;
}
