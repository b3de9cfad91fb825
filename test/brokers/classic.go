package brokers

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"text/template"
)

// classicXML is the configuration of a Classic broker. The journal is written before a receipt but not forced to the
// disk: what is tested is the death of the process, not of the machine.
var classicXML = template.Must(template.New("activemq.xml").Parse(`<?xml version="1.0" encoding="UTF-8"?>
<beans xmlns="http://www.springframework.org/schema/beans" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
  xsi:schemaLocation="http://www.springframework.org/schema/beans http://www.springframework.org/schema/beans/spring-beans.xsd
  http://activemq.apache.org/schema/core http://activemq.apache.org/schema/core/activemq-core.xsd">
<broker xmlns="http://activemq.apache.org/schema/core" brokerName="test" dataDirectory="{{.Dir}}/data" persistent="true" useJmx="false">
  <destinationPolicy><policyMap><policyEntries>
    {{range .Policies}}<policyEntry {{.}}/>
    {{end}}<policyEntry queue=">" producerFlowControl="false" memoryLimit="64mb"/>
    <policyEntry topic=">" producerFlowControl="false" memoryLimit="64mb"/>
  </policyEntries></policyMap></destinationPolicy>
  <persistenceAdapter><kahaDB directory="{{.Dir}}/data/kahadb" journalDiskSyncStrategy="never"/></persistenceAdapter>
  <plugins>
    <simpleAuthenticationPlugin><users>
      {{range .Users}}<authenticationUser username="{{.Name}}" password="{{.Password}}" groups="{{.Role}}"/>
      {{end}}</users></simpleAuthenticationPlugin>
    <authorizationPlugin><map><authorizationMap><authorizationEntries>
      <authorizationEntry queue=">" read="apps,readers,admins" write="apps,writers,admins" admin="apps,admins"/>
      <authorizationEntry topic=">" read="apps,readers,admins" write="apps,writers,admins" admin="apps,admins"/>
      <authorizationEntry topic="ActiveMQ.Advisory.>" read="apps,readers,writers,admins" write="apps,readers,writers,admins" admin="apps,readers,writers,admins"/>
    </authorizationEntries></authorizationMap></map></authorizationPlugin>
    <statisticsBrokerPlugin/>
  </plugins>
  <sslContext><sslContext keyStore="file:{{.KeyStore}}" keyStorePassword="{{.StorePassword}}"/></sslContext>
  <systemUsage><systemUsage>
    <memoryUsage><memoryUsage limit="384 mb"/></memoryUsage>
    <storeUsage><storeUsage limit="8 gb"/></storeUsage>
    <tempUsage><tempUsage limit="1 gb"/></tempUsage>
  </systemUsage></systemUsage>
  <transportConnectors>
    {{range .Connectors}}<transportConnector name="{{.Name}}" uri="{{.URI}}"/>
    {{end}}</transportConnectors>
</broker>
</beans>
`))

// classicCommand writes the configuration of a Classic broker into b.dir and returns the command that starts it.
func (b *Broker) classicCommand() (*exec.Cmd, string, error) {
	type connector struct{ Name, URI string }
	data := struct {
		Dir, KeyStore, StorePassword string
		Users                        []User
		Policies                     []string
		Connectors                   []connector
	}{b.dir, b.certs.keyStore(b.opts.Certificate), storePassword, Users(), b.opts.ClassicPolicies, nil}
	for _, scheme := range schemes {
		uri := fmt.Sprintf("%s://127.0.0.1:%d?", scheme, b.ports[scheme])
		switch scheme {
		case "tcp", "ssl":
			uri += "wireFormat.maxFrameSize=104857600"
		case "amqp", "amqp+ssl":
			uri += "transport.transformer=jms"
		default:
			uri += "transport.hbGracePeriodMultiplier=1.5"
		}
		if o := b.opts.ConnectorOptions; o != "" {
			uri += "&amp;" + strings.ReplaceAll(o, "&", "&amp;")
		}
		data.Connectors = append(data.Connectors, connector{strings.ReplaceAll(scheme, "+", "-"), uri})
	}
	file := filepath.Join(b.dir, "activemq.xml")
	if err := writeTemplate(file, classicXML, data); err != nil {
		return nil, "", err
	}
	logging, err := b.writeLogging()
	if err != nil {
		return nil, "", err
	}
	classpath := filepath.Join(b.home, "lib", "*")
	if b.kind == Classic5 {
		classpath += ":" + filepath.Join(b.home, "lib", "optional", "*")
	}
	cmd := exec.Command(
		"java", "-Xmx"+b.opts.heap(), "-Dlog4j2.configurationFile="+logging, "-Dactivemq.home="+b.home, "-Dactivemq.base="+b.dir,
		"-Djava.io.tmpdir="+b.dir, "-cp", classpath, "org.apache.activemq.console.Main", "start", "xbean:file:"+file,
	)
	return cmd, ") started", nil
}

// writeLogging writes the log settings that both products read, and returns the file.
func (b *Broker) writeLogging() (string, error) {
	file := filepath.Join(b.dir, "log4j2.properties")
	err := os.WriteFile(file, []byte(`rootLogger = INFO, console
# Artemis writes several lines a message here unless told otherwise.
logger.audit.name = org.apache.activemq.audit
logger.audit.level = OFF
logger.audit_base.name = org.apache.activemq.audit.base
logger.audit_base.level = OFF
logger.audit_resource.name = org.apache.activemq.audit.resource
logger.audit_resource.level = OFF
logger.audit_message.name = org.apache.activemq.audit.message
logger.audit_message.level = OFF
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{HH:mm:ss.SSS} %-5p %m%n%throwable{8}
`), 0o600)
	if err != nil {
		return "", fmt.Errorf("writing the log settings: %w", err)
	}
	return file, nil
}

func writeTemplate(file string, t *template.Template, data any) error {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("writing %s: %w", file, err)
	}
	defer f.Close()
	if err := t.Execute(f, data); err != nil {
		return fmt.Errorf("writing %s: %w", file, err)
	}
	return f.Close()
}
