package io.idefics.admission;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.idefics.generation.Priority;
import org.junit.jupiter.api.Test;

class AdmissionPropertiesTest {

    @Test
    void admittedTokens_byDefault_areEnoughForAllRequestsAndForALargeOne() {
        assertThat(properties(1, null).admittedTokens()).isEqualTo(64 * 4096);
        assertThat(properties(64, null).admittedTokens()).isEqualTo(64 * 4096);
        assertThat(properties(1000, null).admittedTokens()).isEqualTo(1000 * 4096);
    }

    @Test
    void admittedTokens_given_areThose() {
        assertThat(properties(64, 5L).admittedTokens()).isEqualTo(5);
    }

    @Test
    void shares_highOnesHaveCome_keepWhatIsSaid() {
        PriorityShares shares = properties(64, null).shares();

        assertThat(shares.most(64, Priority.LOW)).isEqualTo(64);
        shares.come(Priority.NORMAL);
        assertThat(shares.most(64, Priority.LOW)).isEqualTo(51);
        assertThat(shares.most(64, Priority.NORMAL)).isEqualTo(64);
        shares.come(Priority.HIGH);
        shares.come(Priority.LOW);
        assertThat(shares.most(64, Priority.LOW)).isEqualTo(51);
        assertThat(shares.most(64, Priority.NORMAL)).isEqualTo(60);
        assertThat(shares.most(64, Priority.HIGH)).isEqualTo(64);
    }

    @Test
    void shares_wrong_areRefused() {
        assertThatThrownBy(() -> new AdmissionProperties(64, 256, 256, null, null, 0.9, 0.8).shares())
                .hasMessageContaining("idefics.admission.low-share is 0.9");
    }

    private static AdmissionProperties properties(int requests, Long tokens) {
        return new AdmissionProperties(requests, 256, 256, null, tokens, 0.8, 0.95);
    }
}
