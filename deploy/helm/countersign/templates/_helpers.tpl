{{- define "countersign.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "countersign.selectorLabels" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "countersign.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{ include "countersign.selectorLabels" . }}
{{- end -}}

{{- define "countersign.secretName" -}}
{{- default (include "countersign.fullname" .) .Values.existingSecret -}}
{{- end -}}

{{/* "true" where the nodes share a Redis. */}}
{{- define "countersign.clustered" -}}
{{- if or .Values.config.redis .Values.clustered -}}true{{- end -}}
{{- end -}}

{{/* "true" where the one node keeps its data on a volume. */}}
{{- define "countersign.persistent" -}}
{{- if and .Values.persistence.enabled (not (include "countersign.clustered" .)) -}}true{{- end -}}
{{- end -}}

{{/* Refuses values that contradict each other. */}}
{{- define "countersign.checkValues" -}}
{{- if and (not .Values.existingSecret) (not .Values.config.apps) -}}
{{- fail "config.apps: there is none, so nobody could connect; or name an existingSecret" -}}
{{- end -}}
{{- if and .Values.existingSecret .Values.config -}}
{{- fail "config and existingSecret: expected one of them" -}}
{{- end -}}
{{- if and (or (gt (int .Values.replicas) 1) .Values.autoscaling.enabled) (not (include "countersign.clustered" .)) -}}
{{- fail "replicas: more than one node needs config.redis (or clustered: true with an existingSecret)" -}}
{{- end -}}
{{- if gt (int .Values.drain.windowSeconds) (int .Values.drain.timeoutSeconds) -}}
{{- fail "drain.windowSeconds: expected at most drain.timeoutSeconds" -}}
{{- end -}}
{{- if eq (int .Values.port) (int .Values.metrics.port) -}}
{{- fail "metrics.port: expected another port than port" -}}
{{- end -}}
{{- end -}}
