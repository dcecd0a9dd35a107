{{- define "olgw.name" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end }}

{{- define "olgw.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "olgw.labels" -}}
{{ include "olgw.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "olgw.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end -}}
{{- end -}}
{{- end }}

{{- /* The most replicas there can be. */ -}}
{{- define "olgw.replicas" -}}
{{- if .Values.autoscaling.enabled -}}
{{ .Values.autoscaling.maxReplicas }}
{{- else -}}
{{ .Values.replicaCount }}
{{- end -}}
{{- end }}

{{- /* listen.drain_timeout in whole seconds. */ -}}
{{- define "olgw.drain" -}}
{{- $written := dig "listen" "drain_timeout" "30s" (fromYaml .Values.config) -}}
{{- $number := regexFind "^[0-9]+" $written | int -}}
{{- $unit := regexFind "[a-z]+$" $written -}}
{{- $seconds := dict "s" 1 "m" 60 "h" 3600 -}}
{{- if eq $unit "ms" -}}
{{ add 1 (div $number 1000) }}
{{- else if hasKey $seconds $unit -}}
{{ mul $number (get $seconds $unit) }}
{{- else -}}
{{- fail (printf "config: listen.drain_timeout: %s is no duration such as 30s" $written) -}}
{{- end -}}
{{- end }}

{{- /* What no schema can say, in words. */ -}}
{{- define "olgw.check" -}}
{{- $config := fromYaml .Values.config -}}
{{- with get $config "Error" -}}
{{- fail (printf "config is not YAML: %s" .) -}}
{{- end -}}
{{- range list "admin" "store" -}}
{{- if hasKey $config . -}}
{{- fail (printf "config: leave out %s, which the chart writes" .) -}}
{{- end -}}
{{- end -}}
{{- if not (hasSuffix ":8080" (dig "listen" "address" "0.0.0.0:8080" $config)) -}}
{{- fail "config: listen.address must have port 8080, or be left out" -}}
{{- end -}}
{{- include "olgw.checkStore" (dict "store" .Values.store "replicas" (include "olgw.replicas" . | int) "workers" (dig "listen" "workers" 1 $config | int)) -}}
{{- if and .Values.autoscaling.enabled (gt (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.maxReplicas)) -}}
{{- fail "autoscaling.minReplicas is greater than maxReplicas" -}}
{{- end -}}
{{- end }}

{{- define "olgw.checkStore" -}}
{{- if ne .store.kind "redis" -}}
{{- if gt .replicas 1 -}}
{{- fail (printf "several replicas need store.kind: redis, for they must agree on who owns what; it is %s" .store.kind) -}}
{{- end -}}
{{- if gt .workers 1 -}}
{{- fail (printf "several workers need store.kind: redis; it is %s" .store.kind) -}}
{{- end -}}
{{- else if not (or .store.redis.url .store.redis.existingSecret) -}}
{{- fail "store.kind: redis needs store.redis.url or store.redis.existingSecret" -}}
{{- end -}}
{{- end }}

{{- /* The configuration as it was written, for the order of teams counts, and what is the chart's. */ -}}
{{- define "olgw.config" -}}
{{ trimSuffix "\n" .Values.config }}

admin: {address: "0.0.0.0:9090"}
{{- with .Values.store }}
{{- if eq .kind "memory" }}
store: "memory:"
{{- else if eq .kind "sqlite" }}
store: sqlite:/var/lib/olgw/olgw.db
{{- else if .redis.existingSecret }}
store: {env: OLGW_STORE}
{{- else }}
store: {{ .redis.url }}
{{- end }}
{{- end }}
{{- end }}
