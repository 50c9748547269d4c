package io.idefics.bench;

import com.fasterxml.jackson.databind.PropertyNamingStrategies.SnakeCaseStrategy;
import com.fasterxml.jackson.databind.annotation.JsonNaming;
import java.math.BigDecimal;

/** How requests come. */
sealed interface Load {

    /** A short name for a table. */
    String label();

    /**
     * A closed loop: each client asks again as soon as it has its answer.
     *
     * @param clients how many there are
     */
    record Clients(int clients) implements Load {
        @Override
        public String label() {
            return clients == 1 ? "1 client" : clients + " clients";
        }
    }

    /**
     * An offered load: conversations begin at random times, whether or not the earlier ones have ended.
     *
     * @param perSecond the mean of the Poisson process
     */
    @JsonNaming(SnakeCaseStrategy.class)
    record Rate(double perSecond) implements Load {
        @Override
        public String label() {
            return BigDecimal.valueOf(perSecond).stripTrailingZeros().toPlainString() + "/s";
        }
    }
}
