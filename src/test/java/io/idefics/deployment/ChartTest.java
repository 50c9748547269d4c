package io.idefics.deployment;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.marcnuri.helm.LintResult;
import io.idefics.deployment.Chart.Node;
import io.idefics.deployment.Chart.Rendered;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.yaml.snakeyaml.Yaml;

/** Lints and renders the Helm chart. */
class ChartTest {

    private static final String GPU =
            """
            gpu:
              enabled: true
              count: 2
              runtimeClassName: nvidia
              nodeSelector: {accelerator: h200}
            nodeSelector: {zone: a}
            """;

    private static final String VOLUME =
            """
            modelVolume:
              enabled: true
              size: 200Gi
              storageClassName: fast
            models:
              - {id: idefics-9b-instruct, path: /models/idefics-9b-instruct, dtype: bfloat16, device: cpu}
            """;

    @Test
    void lint_strict_findsNothing() {
        LintResult result = Chart.lint();

        assertThat(result.isFailed())
                .as(String.join("\n", result.getMessages()))
                .isFalse();
        assertThat(result.getMessages()).noneMatch(message -> message.contains("ERROR") || message.contains("WARNING"));
    }

    @Test
    void render_defaults_needNoVolumeAndNothingOptional() {
        Rendered chart = Chart.render("");

        assertThat(chart.kinds()).containsExactlyInAnyOrder("ServiceAccount", "ConfigMap", "Service", "Deployment");
        assertThat(chart.pod().at("volumes").named()).containsOnlyKeys("tmp", "config", "api-keys");
        assertThat(chart.container().text("image")).isEqualTo("idefics-server:0.1.0");
        assertThat(new Node(new Yaml().load(chart.application())).at("idefics").value())
                .isEqualTo(Map.of("access", Map.of("key-file", "/app/keys/keys.yml")));
    }

    @Test
    void render_defaults_areHardened() {
        Rendered chart = Chart.render("");
        Node pod = chart.pod();
        Node container = chart.container();

        assertThat(pod.text("securityContext", "runAsNonRoot")).isEqualTo("true");
        assertThat(pod.text("securityContext", "runAsUser")).isEqualTo("10001");
        assertThat(pod.text("securityContext", "seccompProfile", "type")).isEqualTo("RuntimeDefault");
        assertThat(pod.text("automountServiceAccountToken")).isEqualTo("false");
        assertThat(container.text("securityContext", "allowPrivilegeEscalation"))
                .isEqualTo("false");
        assertThat(container.text("securityContext", "readOnlyRootFilesystem")).isEqualTo("true");
        assertThat(container.at("securityContext", "capabilities", "drop").value())
                .isEqualTo(List.of("ALL"));
        assertThat(container.at("volumeMounts").named().get("tmp").text("mountPath"))
                .isEqualTo("/tmp");
    }

    @Test
    void render_defaults_probesGiveTheModelTimeToLoad() {
        Node container = Chart.render("").container();
        Node startup = container.at("startupProbe");

        assertThat(container.text("readinessProbe", "httpGet", "path")).isEqualTo("/actuator/health/readiness");
        assertThat(container.text("livenessProbe", "httpGet", "path")).isEqualTo("/actuator/health/liveness");
        assertThat((int) startup.at("periodSeconds").value()
                        * (int) startup.at("failureThreshold").value())
                .isEqualTo(30 * 60);
        assertThat(container.at("ports").named().get("management").text("containerPort"))
                .isEqualTo("8081");
        assertThat(Chart.render("").only("Service").at("spec", "ports").named()).containsOnlyKeys("http");
    }

    @Test
    void render_shutdown_graceIsTheSumOfItsParts() {
        Rendered chart = Chart.render("shutdown: {preStopSeconds: 7, drainSeconds: 60, marginSeconds: 20}");

        assertThat(chart.pod().text("terminationGracePeriodSeconds")).isEqualTo("87");
        assertThat(chart.container()
                        .at("lifecycle", "preStop", "exec", "command")
                        .value())
                .isEqualTo(List.of("sleep", "7"));
        assertThat(chart.application()).contains("timeout-per-shutdown-phase: 60s");
    }

    @Test
    void render_gpu_asksForDevicesAndTheCudaImage() {
        Rendered chart = Chart.render(GPU);
        Node container = chart.container();

        assertThat(container.text("resources", "limits", "nvidia.com/gpu")).isEqualTo("2");
        assertThat(container.text("resources", "limits", "memory")).isEqualTo("4Gi");
        assertThat(container.text("image")).isEqualTo("idefics-server:0.1.0-cuda");
        assertThat(chart.pod().text("runtimeClassName")).isEqualTo("nvidia");
        assertThat(chart.pod().at("nodeSelector").value()).isEqualTo(Map.of("accelerator", "h200", "zone", "a"));
        assertThat(chart.pod().text("tolerations", 0, "key")).isEqualTo("nvidia.com/gpu");
    }

    @Test
    void render_noGpu_asksForNoDevice() {
        assertThat(Chart.template("")).doesNotContain("nvidia");
    }

    @Test
    void render_modelVolume_claimsAndMountsIt() {
        Rendered chart = Chart.render(VOLUME);
        Node claim = chart.only("PersistentVolumeClaim");
        Node mount = chart.container().at("volumeMounts").named().get("models");

        assertThat(claim.text("spec", "resources", "requests", "storage")).isEqualTo("200Gi");
        assertThat(claim.text("spec", "storageClassName")).isEqualTo("fast");
        assertThat(mount.text("mountPath")).isEqualTo("/models");
        assertThat(mount.text("readOnly")).isEqualTo("true");
        assertThat(chart.pod().at("volumes").named().get("models").text("persistentVolumeClaim", "claimName"))
                .isEqualTo(claim.text("metadata", "name"));
    }

    @Test
    void render_existingClaim_createsNone() {
        Rendered chart = Chart.render("modelVolume: {enabled: true, existingClaim: checkpoints, readOnly: false}");

        assertThat(chart.kinds()).doesNotContain("PersistentVolumeClaim");
        assertThat(chart.pod().at("volumes").named().get("models").text("persistentVolumeClaim", "claimName"))
                .isEqualTo("checkpoints");
        assertThat(chart.container().at("volumeMounts").named().get("models").text("readOnly"))
                .isEqualTo("false");
    }

    @Test
    void render_models_becomeTheConfiguration() {
        Node application = new Node(new Yaml().load(Chart.render(VOLUME).application()));

        assertThat(application.at("idefics", "models", 0).value())
                .isEqualTo(Map.of(
                        "id", "idefics-9b-instruct",
                        "path", "/models/idefics-9b-instruct",
                        "dtype", "bfloat16",
                        "device", "cpu"));
    }

    @Test
    void render_modelOverSeveralDevices_keepsTheirLists() {
        Rendered chart = Chart.render(
                """
                models:
                  - {path: /models/a, replicas: [[cuda:0, cuda:1], [cuda:2, cuda:3]], quantization: int8}
                  - {path: /models/b, replicas: [cuda:0, cuda:1], layout: packed, quantizedCache: true}
                  - {path: /models/c, devices: [cuda:0, cuda:1], license: MIT, licenseUrl: 'https://example.com/mit',
                     modelCard: 'https://example.com/c', description: Ours.}
                """);
        Node models = new Node(new Yaml().load(chart.application())).at("idefics", "models");

        assertThat(models.at(0, "replicas").value())
                .isEqualTo(List.of(List.of("cuda:0", "cuda:1"), List.of("cuda:2", "cuda:3")));
        assertThat(models.at(1, "replicas").value()).isEqualTo(List.of("cuda:0", "cuda:1"));
        assertThat(models.at(2, "devices").value()).isEqualTo(List.of("cuda:0", "cuda:1"));
        assertThat(models.at(2, "licenseUrl").value()).isEqualTo("https://example.com/mit");
    }

    @Test
    void render_config_winsOverTheChart() {
        Rendered chart = Chart.render("config: {server: {shutdown: immediate}, idefics: {extra: 1}}");
        Node application = new Node(new Yaml().load(chart.application()));

        assertThat(application.text("server", "shutdown")).isEqualTo("immediate");
        assertThat(application.text("server", "port")).isEqualTo("8080");
        assertThat(application.text("idefics", "extra")).isEqualTo("1");
    }

    @Test
    void render_changedConfig_restartsThePods() {
        assertThat(checksum("config: {a: 1}")).isNotEqualTo(checksum("config: {a: 2}"));
        assertThat(checksum("config: {a: 1}")).isEqualTo(checksum("config: {a: 1}"));
    }

    @Test
    void render_existingSecret_isMountedAndImported() {
        Rendered chart = Chart.render("existingSecret: keys");

        assertThat(chart.pod().at("volumes").named().get("secrets").text("secret", "secretName"))
                .isEqualTo("keys");
        assertThat(chart.container().at("volumeMounts").named().get("secrets").text("mountPath"))
                .isEqualTo("/app/secrets");
        assertThat(chart.application()).contains("import: configtree:/app/secrets/");
    }

    @Test
    void render_keys_areMountedAsAFileThatMayChange() {
        Rendered chart = Chart.render("");
        Node application = new Node(new Yaml().load(chart.application()));
        Node mount = chart.container().at("volumeMounts").named().get("api-keys");

        assertThat(chart.pod().at("volumes").named().get("api-keys").text("secret", "secretName"))
                .isEqualTo(Chart.KEYS);
        assertThat(mount.text("mountPath")).isEqualTo("/app/keys");
        assertThat(mount.at("subPath").value()).isNull();
        assertThat(application.text("idefics", "access", "key-file")).isEqualTo("/app/keys/keys.yml");
        assertThat(application.text("server", "address")).isEqualTo("0.0.0.0");
        assertThat(application.text("spring", "profiles", "active")).isEqualTo("production");
        assertThat(Chart.template("")).doesNotContain("require-keys");
    }

    @Test
    void render_noKeys_isRefusedUnlessAskedFor() {
        assertThatThrownBy(() -> Chart.templateAsIs(""))
                .hasMessageContaining(
                        "name a Secret with them in apiKeys.existingSecret, or set apiKeys.required=false");

        Rendered open = Chart.render("apiKeys: {required: false}");
        assertThat(open.pod().at("volumes").named()).doesNotContainKey("api-keys");
        assertThat(new Node(new Yaml().load(open.application())).text("idefics", "access", "require-keys"))
                .isEqualTo("false");
        assertThat(Chart.templateAsIs("config: {idefics: {access: {key-file: /elsewhere.yml}}}"))
                .contains("key-file: /elsewhere.yml");
    }

    @Test
    void render_everythingOptional_isCreated() {
        Rendered chart = Chart.render(
                """
                ingress:
                  enabled: true
                  className: nginx
                  hosts: [{host: idefics.example, paths: [{path: /, pathType: Prefix}]}]
                  tls: [{secretName: cert, hosts: [idefics.example]}]
                autoscaling: {enabled: true, maxReplicas: 3}
                podDisruptionBudget: {enabled: true}
                networkPolicy:
                  enabled: true
                  managementFrom: [{namespaceSelector: {matchLabels: {name: monitoring}}}]
                """);

        assertThat(chart.kinds())
                .contains("Ingress", "HorizontalPodAutoscaler", "PodDisruptionBudget", "NetworkPolicy");
        assertThat(chart.only("Deployment").at("spec", "replicas").value()).isNull();
        assertThat(chart.only("Ingress").text("spec", "rules", 0, "http", "paths", 0, "backend", "service", "name"))
                .isEqualTo(chart.only("Service").text("metadata", "name"));
        assertThat(chart.only("NetworkPolicy").text("spec", "egress", 1, "to", 0, "ipBlock", "except"))
                .contains("169.254.0.0/16");
    }

    @Test
    void render_service_selectsThePodsOfTheDeployment() {
        Rendered chart = Chart.render("");
        Object selector = chart.only("Service").at("spec", "selector").value();

        assertThat(chart.only("Deployment")
                        .at("spec", "selector", "matchLabels")
                        .value())
                .isEqualTo(selector);
        assertThat(labels(chart.only("Deployment").at("spec", "template"))).containsAllEntriesOf(asMap(selector));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "unknown: 1",
                "gpu: {enable: true}",
                "models: [{id: a}]",
                "models: [{path: a, typo: b}]",
                "models: [{path: a, device: gpu}]",
                "models: [{path: a, replicas: [cpu, gpu]}]",
                "models: [{path: a, replicas: [[]]}]",
                "models: [{path: a, device: cpu, devices: [cpu, cpu]}]",
                "models: [{path: a, quantization: int2}]",
                "models: [{path: a, modelCard: somewhere}]",
                "models: [{path: a, licenseUrl: 'https://example.com'}]",
                "image: {tag: latest}",
                "gpu: {count: 0}",
                "managementPort: 8080",
                "apiKeys: {required: maybe}",
                "apiKeys: {keys: []}"
            })
    void render_wrongValues_areRejected(String values) {
        assertThatThrownBy(() -> Chart.template(values)).hasMessageContaining("values don't meet the specifications");
    }

    @Test
    void schema_everyDefault_isKnown() throws IOException {
        Node schema = new Node(new Yaml().load(Files.readString(Path.of("helm/values.schema.json"))));

        for (Map.Entry<String, Object> value : Chart.values().entrySet()) {
            Node known = schema.at("properties", value.getKey());
            assertThat(known.value()).as(value.getKey()).isNotNull();
            if (known.at("properties").value() != null) {
                assertThat(asMap(known.at("properties").value())).containsKeys(keys(value.getValue()));
            }
        }
    }

    @Test
    void values_everyKey_isDocumentedItselfOrInItsParts() throws IOException {
        List<String> lines = Files.readAllLines(Path.of("helm/values.yaml"));

        boolean parentDocumented = false;
        for (int i = 0; i < lines.size(); i++) {
            boolean documented = i > 0 && lines.get(i - 1).strip().startsWith("#");
            if (lines.get(i).matches("\\w+:.*")) {
                assertThat(documented || lines.get(i + 1).startsWith("  # --"))
                        .as(lines.get(i))
                        .isTrue();
                parentDocumented = documented;
            } else if (lines.get(i).matches(" {2}\\w+:.*")) {
                assertThat(documented || parentDocumented).as(lines.get(i)).isTrue();
            }
        }
    }

    private static String checksum(String values) {
        return Chart.render(values)
                .only("Deployment")
                .text("spec", "template", "metadata", "annotations", "checksum/config");
    }

    private static Map<String, Object> labels(Node resource) {
        return asMap(resource.at("metadata", "labels").value());
    }

    private static String[] keys(Object mapping) {
        return asMap(mapping).keySet().toArray(String[]::new);
    }

    @SuppressWarnings("unchecked")
    private static Map<String, Object> asMap(Object value) {
        return (Map<String, Object>) value;
    }
}
