package io.idefics.image;

import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;
import java.util.Base64;

/** Base64 data URLs (RFC 2397); their media type and parameters are not believed. */
final class DataUrl {

    private static final String SCHEME = "data:";
    private static final String BASE64 = ";base64";
    private static final int MAX_MEDIA_TYPE_LENGTH = 1024;

    private DataUrl() {}

    static boolean isDataUrl(String url) {
        return url.regionMatches(true, 0, SCHEME, 0, SCHEME.length());
    }

    /**
     * The bytes in a data URL.
     *
     * @param maxBytes the limit, checked before decoding
     * @throws GenerationException with INVALID_IMAGE_URL if it is malformed, IMAGE_TOO_LARGE if it is too long
     */
    static byte[] decode(String url, long maxBytes, String param) {
        int comma = url.indexOf(',');
        if (comma < 0 || comma > MAX_MEDIA_TYPE_LENGTH) {
            throw invalid("the data URL of the image has no comma between media type and data", param);
        }
        if (comma < SCHEME.length() + BASE64.length()
                || !url.regionMatches(true, comma - BASE64.length(), BASE64, 0, BASE64.length())) {
            throw invalid("the data URL of the image is not in base64: data:image/...;base64,... is needed", param);
        }
        int characters = url.length() - comma - 1;
        while (characters > 0 && url.charAt(comma + characters) == '=') {
            characters--;
        }
        long size = characters * 3L / 4;
        if (size > maxBytes) {
            throw new GenerationException(
                    ErrorType.IMAGE_TOO_LARGE, "the image has " + size + " bytes; the limit is " + maxBytes, param);
        }
        if (size == 0) {
            throw invalid("the data URL of the image has no data", param);
        }
        try {
            return Base64.getDecoder().decode(url.substring(comma + 1));
        } catch (IllegalArgumentException e) {
            throw invalid("the data URL of the image is not valid base64", param);
        }
    }

    private static GenerationException invalid(String message, String param) {
        return new GenerationException(ErrorType.INVALID_IMAGE_URL, message, param);
    }
}
