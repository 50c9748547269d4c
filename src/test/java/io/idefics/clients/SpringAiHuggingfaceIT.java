package io.idefics.clients;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.idefics.RunningServer;
import io.idefics.testing.MiniEvaluation;
import io.idefics.testing.MiniEvaluation.Reference;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.springframework.ai.chat.prompt.Prompt;
import org.springframework.ai.huggingface.HuggingfaceChatModel;
import org.springframework.ai.huggingface.api.TextGenerationInferenceApi;
import org.springframework.ai.huggingface.invoker.ApiClient;
import org.springframework.ai.huggingface.model.CompatGenerateRequest;
import org.springframework.ai.huggingface.model.FinishReason;
import org.springframework.ai.huggingface.model.GenerateParameters;
import org.springframework.ai.huggingface.model.GenerateRequest;
import org.springframework.ai.huggingface.model.GenerateResponse;
import org.springframework.ai.huggingface.model.Info;
import org.springframework.ai.huggingface.model.PrefillToken;
import org.springframework.ai.huggingface.model.Token;
import org.springframework.web.client.HttpClientErrorException;

/** Spring AI's client of text-generation-inference finds what it expects. */
class SpringAiHuggingfaceIT extends RunningServer {

    private static final Reference REFERENCE = MiniEvaluation.references().get(0);

    private TextGenerationInferenceApi api;

    @BeforeEach
    void connect() {
        api = new TextGenerationInferenceApi(new ApiClient().setBasePath(url()));
    }

    @Test
    void call_prompt_isAnswered() {
        HuggingfaceChatModel model = new HuggingfaceChatModel("none", url());
        model.setMaxNewTokens(40);

        String answer = model.call(new Prompt(inputs())).getResult().getOutput().getText();

        assertThat(answer).isEqualTo(" " + REFERENCE.float32Text());
    }

    @Test
    void generate_details_areRead() {
        GenerateParameters parameters =
                new GenerateParameters().maxNewTokens(40).details(true).decoderInputDetails(true);

        GenerateResponse answer =
                api.generate(new GenerateRequest().inputs(inputs()).parameters(parameters));

        assertThat(answer.getGeneratedText()).isEqualTo(" " + REFERENCE.float32Text());
        var details = Objects.requireNonNull(answer.getDetails());
        assertThat(details.getFinishReason()).isEqualTo(FinishReason.EOS_TOKEN);
        assertThat(details.getSeed()).isNull();
        assertThat(details.getPrefill()).extracting(PrefillToken::getId).isEqualTo(REFERENCE.promptIds());
        assertThat(details.getTokens()).extracting(Token::getId).isEqualTo(REFERENCE.float32Ids());
        assertThat(details.getGeneratedTokens())
                .isEqualTo(REFERENCE.float32Ids().size());
    }

    @Test
    void compatGenerate_sampled_isTheOnlyAnswerOfAList() {
        GenerateParameters parameters = new GenerateParameters()
                .maxNewTokens(5)
                .details(true)
                .bestOf(2)
                .doSample(true)
                .temperature(2f);

        List<GenerateResponse> answers =
                api.compatGenerate(new CompatGenerateRequest().inputs(inputs()).parameters(parameters));

        assertThat(answers).hasSize(1);
        var details = Objects.requireNonNull(answers.get(0).getDetails());
        assertThat(details.getSeed()).isNotNull();
        assertThat(details.getBestOfSequences()).hasSize(1);
    }

    @Test
    void generate_mistake_isThrown() {
        GenerateParameters parameters = new GenerateParameters().topP(1f);

        assertThatExceptionOfType(HttpClientErrorException.UnprocessableEntity.class)
                .isThrownBy(() ->
                        api.generate(new GenerateRequest().inputs(inputs()).parameters(parameters)))
                .withMessageContaining("parameters.top_p is 1");
    }

    @Test
    void infoAndHealth_served_areRead() {
        Info info = api.getModelInfo();

        assertThat(info.getModelId()).isEqualTo(modelId());
        assertThat(info.getMaxStopSequences()).isEqualTo(16);
        api.health();
    }

    private String url() {
        return "http://localhost:" + port;
    }

    private static String inputs() {
        String picture = MiniEvaluation.dataUrl(MiniEvaluation.image("images/001.png"));
        return "User: The ring is what colour?![](" + picture + ")<end_of_utterance>\nAssistant:";
    }
}
