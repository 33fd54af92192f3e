{{- /* Names begin with the release, so that two releases live side by side in a namespace. */}}
{{- define "pinrelay.name" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains "pinrelay" .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-pinrelay" .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end }}
{{- define "pinrelay.selector" -}}
app.kubernetes.io/name: pinrelay
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}
{{- define "pinrelay.labels" -}}
{{ include "pinrelay.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: pinrelay
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}
{{- /* What runs: the two halves over PostgreSQL, or one process over SQLite. */}}
{{- define "pinrelay.roles" -}}
{{- if .Values.sqlite.enabled -}}
{{- dict "server" .Values.sqlite | toYaml -}}
{{- else -}}
{{- toYaml .Values.roles -}}
{{- end -}}
{{- end }}
{{- define "pinrelay.receivers" -}}
{{ include "pinrelay.name" . }}-{{ if .Values.sqlite.enabled }}server{{ else }}receivers{{ end }}
{{- end }}
{{- define "pinrelay.image" -}}
{{- with .Values.image.registry }}{{ . }}/{{ end }}{{ .Values.image.repository -}}
{{- if .Values.image.digest }}@{{ .Values.image.digest }}{{ else }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{ end }}
{{- end }}
{{- define "pinrelay.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (ternary (include "pinrelay.name" .) "default" .Values.serviceAccount.create) -}}
{{- end }}
{{- /* Pods of `helm test`: the network policy of the server does not select them. */}}
{{- define "pinrelay.test.selector" -}}
app.kubernetes.io/name: pinrelay-test
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}
