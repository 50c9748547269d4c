{{/* The chart's name. */}}
{{- define "idefics.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* The name of every resource. */}}
{{- define "idefics.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else if contains (include "idefics.name" .) .Release.Name }}
{{- .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "idefics.name" .) | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "idefics.selectorLabels" -}}
app.kubernetes.io/name: {{ include "idefics.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "idefics.labels" -}}
{{ include "idefics.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "idefics.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "idefics.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "idefics.image" -}}
{{- $tag := default (printf "%s%s" .Chart.AppVersion (ternary "-cuda" "" .Values.gpu.enabled)) .Values.image.tag }}
{{- printf "%s:%s" .Values.image.repository $tag }}
{{- end }}

{{/* The claim that holds the checkpoints. */}}
{{- define "idefics.modelClaim" -}}
{{- default (printf "%s-models" (include "idefics.fullname" .)) .Values.modelVolume.existingClaim }}
{{- end }}

{{/* Waiting, draining and the rest happen one after the other, and all before the pod is killed. */}}
{{- define "idefics.gracePeriodSeconds" -}}
{{- with .Values.shutdown }}
{{- add .preStopSeconds .drainSeconds .marginSeconds }}
{{- end }}
{{- end }}

{{/* application.yml: what the chart sets, and over it what the user sets. */}}
{{- define "idefics.application" -}}
{{- $base := dict
  "server" (dict "address" "0.0.0.0" "port" 8080 "shutdown" "graceful")
  "spring" (dict
    "profiles" (dict "active" "production")
    "lifecycle" (dict "timeout-per-shutdown-phase" (printf "%ds" (int .Values.shutdown.drainSeconds))))
  "management" (dict
    "server" (dict "port" (int .Values.managementPort))
    "endpoint" (dict "health" (dict "probes" (dict "enabled" true)))) }}
{{- if .Values.existingSecret }}
{{- $_ := set $base.spring "config" (dict "import" "configtree:/app/secrets/") }}
{{- end }}
{{- $idefics := dict }}
{{- if .Values.models }}
{{- $_ := set $idefics "models" .Values.models }}
{{- end }}
{{- with include "idefics.access" . | fromYaml }}
{{- $_ := set $idefics "access" . }}
{{- end }}
{{- if $idefics }}
{{- $_ := set $base "idefics" $idefics }}
{{- end }}
{{- toYaml (mustMergeOverwrite $base (deepCopy .Values.config)) }}
{{- end }}

{{/* idefics.access: where the keys are. Nothing is installed by accident without any. */}}
{{- define "idefics.access" -}}
{{- $access := dict }}
{{- if .Values.apiKeys.existingSecret }}
{{- $_ := set $access "key-file" "/app/keys/keys.yml" }}
{{- end }}
{{- if not .Values.apiKeys.required }}
{{- $_ := set $access "require-keys" false }}
{{- else if not (or .Values.apiKeys.existingSecret (dig "idefics" "access" dict .Values.config)) }}
{{- fail "API keys are required but there are none: name a Secret with them in apiKeys.existingSecret, or set apiKeys.required=false to let everybody in who can reach the Service." }}
{{- end }}
{{- toYaml $access }}
{{- end }}

{{/* The container's resources, with the devices when it runs on GPUs. */}}
{{- define "idefics.resources" -}}
{{- $resources := deepCopy .Values.resources }}
{{- if .Values.gpu.enabled }}
{{- $devices := dict "limits" (dict .Values.gpu.resourceName (int .Values.gpu.count)) }}
{{- $resources = mustMergeOverwrite $resources $devices }}
{{- end }}
{{- toYaml $resources }}
{{- end }}

{{- define "idefics.nodeSelector" -}}
{{- $labels := deepCopy .Values.nodeSelector }}
{{- if .Values.gpu.enabled }}
{{- $labels = mustMergeOverwrite $labels (deepCopy .Values.gpu.nodeSelector) }}
{{- end }}
{{- toYaml $labels }}
{{- end }}

{{- define "idefics.tolerations" -}}
{{- $tolerations := .Values.tolerations }}
{{- if .Values.gpu.enabled }}
{{- $tolerations = concat $tolerations .Values.gpu.tolerations }}
{{- end }}
{{- toYaml $tolerations }}
{{- end }}
