{{- define "pinrelay.settings" -}}
{{- if .Values.presets -}}
PRESETS_DIR: presets,/etc/pinrelay/presets
{{ end -}}
{{- toYaml .Values.settings }}
{{- end }}
{{- /* Pods are replaced when one of these changes. Without a cluster to ask, such as in `helm template`, the Secret is unknown. */}}
{{- define "pinrelay.checksums" -}}
checksum/settings: {{ include "pinrelay.settings" . | sha256sum }}
{{- with lookup "v1" "Secret" .Release.Namespace .Values.secret }}
checksum/secret: {{ toJson .data | sha256sum }}
{{- end }}
{{- end }}
