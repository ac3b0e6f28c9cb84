# Apache Kafka: one node that is broker and controller (KRaft), from the jars that its makers publish.
# shellcheck shell=bash disable=SC2154

kafka_release=4.4.0
kafka_scala=2.13
kafka_log4j=2.25.5
kafka_list=$parts/kafka-jars.sha256

kafka_missing() {
    local java found
    java=$(kafka_java)
    if [ -z "$java" ]; then
        echo "  java 17 or later, on PATH or in JAVA_HOME (Debian: apt-get install default-jre-headless)"
    else
        found=$("$java" -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p')
        [ "${found:-0}" -ge 17 ] || echo "  java 17 or later, $java is ${found:-of no known version} (Debian: apt-get install default-jre-headless)"
    fi
    if ! kafka_has_jars && ! command -v mvn >/dev/null && ! command -v curl >/dev/null; then
        echo "  mvn or curl, to fetch Kafka's jars once (Debian: apt-get install curl)"
    fi
}

kafka_java() {
    if [ -n "${JAVA_HOME:-}" ] && [ -x "$JAVA_HOME/bin/java" ]; then echo "$JAVA_HOME/bin/java"; else command -v java || true; fi
}

# --- its jars ---

kafka_jars() {
    echo "$jars/kafka-$kafka_release"
}

kafka_has_jars() {
    cmp -s "$kafka_list" "$(kafka_jars)/complete"
}

# Fetched once, checked against the list, then moved into place as a whole.
kafka_fetch() {
    kafka_has_jars && return
    mkdir -p "$jars" || { report "nothing can be written below $jars: set CHORUS_SERVICES_JARS"; return 1; }
    (
        ! command -v flock >/dev/null || { exec 8>"$jars/.lock" && flock 8; }
        kafka_has_jars && exit
        part=$(mktemp -d "$jars/part-XXXXXX") && chmod 755 "$part"
        trap 'rm -rf "$part"' EXIT
        report "fetching $(wc -l <"$kafka_list") jars of Kafka $kafka_release into $jars (once, 43 MB)"
        if ! { kafka_by_maven "$part" || kafka_by_curl "$part"; } || ! kafka_check "$part"; then
            report "Kafka's jars could not be fetched; with neither mvn nor Maven Central within reach, CHORUS_SERVICES_MAVEN_URL names a mirror:" \
                "$(tail -n 5 "$part/log" 2>/dev/null)"
            exit 1
        fi
        cp "$kafka_list" "$part/complete"
        rm -rf "$(kafka_jars)"
        mv "$part" "$(kafka_jars)"
    )
}

# Maven knows the user's own mirrors and proxies.
kafka_by_maven() {
    command -v mvn >/dev/null || return 1
    cat >"$1/pom.xml" <<POM
<project>
  <modelVersion>4.0.0</modelVersion><groupId>chorus</groupId><artifactId>kafka-jars</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_$kafka_scala</artifactId><version>$kafka_release</version></dependency>
    <dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId><version>$kafka_log4j</version></dependency>
  </dependencies>
</project>
POM
    mvn -q -B -f "$1/pom.xml" dependency:copy-dependencies -DincludeScope=runtime -Dmdep.useRepositoryLayout=true \
        -DoutputDirectory="$1" >"$1/log" 2>&1 </dev/null
}

kafka_by_curl() {
    command -v curl >/dev/null || return 1
    local from=${CHORUS_SERVICES_MAVEN_URL:-https://repo1.maven.org/maven2} path
    while read -r _ path; do
        printf 'url = "%s"\noutput = "%s"\n' "${from%/}/$path" "$1/$path"
    done <"$kafka_list" >"$1/curl"
    curl --config "$1/curl" --create-dirs --fail --location --silent --show-error --connect-timeout 15 --max-time 300 --retry 2 >"$1/log" 2>&1
}

kafka_check() {
    local sums=(sha256sum)
    command -v sha256sum >/dev/null || sums=(shasum -a 256)
    (cd "$1" && "${sums[@]}" -c "$kafka_list" >"$1/log" 2>&1) || { grep -v ': OK$' "$1/log" >&2; return 1; }
}

# Only what the list names: nothing that lies beside it comes in.
kafka_classpath() {
    sed "s#^[0-9a-f]*  #$(kafka_jars)/#" "$kafka_list" | paste -sd: -
}

# --- the server ---

kafka_start() {
    local folder=$instance/kafka classpath java text
    choose_port kafka/port 19092 CHORUS_SERVICES_KAFKA_PORT || return 1
    choose_port kafka/controller-port 19093 CHORUS_SERVICES_KAFKA_CONTROLLER_PORT || return 1
    kafka_fetch || return 1
    text=$(cat "$parts/kafka.properties")
    text=${text//@PORT@/"$(port_of kafka/port)"}
    text=${text//@CONTROLLER_PORT@/"$(port_of kafka/controller-port)"}
    echo "${text//@DATA@/"$folder/data"}" >"$folder/server.properties"
    classpath=$(kafka_classpath)
    java=$(kafka_java)
    if [ ! -s "$folder/data/meta.properties" ]; then
        rm -rf "$folder/data"
        kafka_format "$java" "$classpath" "$folder" || return 1
    fi
    # In a file, or the list of processes would show nothing but its jars.
    printf '%s\n' -cp "\"$classpath\"" >"$folder/java-classpath"
    launch kafka "$java" -Xms128m -Xmx384m -XX:+UseSerialGC -XX:+ExitOnOutOfMemoryError -Dlog4j2.configurationFile="$parts/kafka-log4j2.properties" \
        "@$folder/java-classpath" kafka.Kafka "$folder/server.properties"
}

kafka_format() {
    local id
    # The first letter must not look like an option.
    id=K$(head -c 16 /dev/urandom | base64 | tr '+/' '-_' | cut -c 2-22)
    "$1" -Xshare:auto -XX:TieredStopAtLevel=1 -Dlog4j2.configurationFile="$parts/kafka-log4j2.properties" -cp "$2" \
        kafka.tools.StorageTool format -t "$id" -c "$3/server.properties" --standalone >"$3/format.log" 2>&1 || {
        report "the folder could not be formatted:" "$(tail -n 5 "$3/format.log")"
        return 1
    }
}

kafka_stop() {
    kill "$1"
}

kafka_pid() {
    cat "$instance/kafka/pid" 2>/dev/null
}

# Asks for metadata (version 1, no topics) and looks whether a broker is in it: it is listed once it may be used.
kafka_answers() {
    local reply
    { exec 3<>"/dev/tcp/127.0.0.1/$(port_of kafka/port)"; } 2>/dev/null || return 1
    printf '\0\0\0\x0e\0\x03\0\x01\0\0\0\x07\xff\xff\0\0\0\0' >&3
    reply=$(timeout 3 head -c 12 <&3 | od -An -v -tx1 | tr -d ' \n') || true
    exec 3>&-
    [ "${reply:8}" = 0000000700000001 ]
}

kafka_address() {
    echo "127.0.0.1:$(port_of kafka/port)"
}

kafka_version() {
    echo "Apache Kafka $kafka_release on Java $("$(kafka_java)" -version 2>&1 | sed -n 's/.*version "\([^"]*\)".*/\1/p')"
}

kafka_env() {
    echo "CHORUS_TEST_KAFKA=$(kafka_address)"
    echo "CHORUS_BUS_KIND=kafka"
    echo "CHORUS_BUS_BROKERS=$(kafka_address)"
}
