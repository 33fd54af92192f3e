{{- /* Folders of ConfigMaps come after the shipped ones, whose files they replace by name. */}}
{{- define "pinrelay.settings" -}}
{{- with .Values.presets }}
PRESETS_DIR: presets,/etc/pinrelay/presets
{{- end }}
{{- with .Values.mappings }}
MAPPINGS_DIR: mappings,/etc/pinrelay/mappings
{{- end }}
{{- with .Values.sources }}
SOURCES_DIR: {{ if $.Values.settings.SOURCES }}sources,{{ end }}/etc/pinrelay/sources
{{- end }}
{{- with .Values.destinations }}
DESTINATIONS_DIR: /etc/pinrelay/destinations
{{- end }}
{{- if and .Values.ingress.enabled (not .Values.settings.PUBLIC_HOSTS) }}
PUBLIC_HOSTS: {{ .Values.ingress.host }}
{{- end }}
{{ toYaml .Values.settings }}
{{- end }}
{{- /* Pods are replaced when one of these changes. Without a cluster to ask, such as in `helm template`, the Secret is unknown. */}}
{{- define "pinrelay.checksums" -}}
checksum/settings: {{ include "pinrelay.settings" . | sha256sum }}
{{- with lookup "v1" "Secret" .Release.Namespace .Values.secret }}
checksum/secret: {{ toJson .data | sha256sum }}
{{- end }}
{{- end }}
