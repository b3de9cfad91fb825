package brokers

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"text/template"
)

// artemisXML is the configuration of an Artemis broker. As on Classic, the journal is not forced to the disk.
var artemisXML = template.Must(template.New("broker.xml").Parse(`<?xml version="1.0"?>
<configuration xmlns="urn:activemq"><core xmlns="urn:activemq:core">
  <name>test</name>
  <persistence-enabled>true</persistence-enabled>
  <journal-type>NIO</journal-type>
  <journal-datasync>false</journal-datasync>
  <journal-buffer-timeout>500000</journal-buffer-timeout>
  <paging-directory>{{.Dir}}/data/paging</paging-directory>
  <bindings-directory>{{.Dir}}/data/bindings</bindings-directory>
  <journal-directory>{{.Dir}}/data/journal</journal-directory>
  <large-messages-directory>{{.Dir}}/data/large</large-messages-directory>
  <critical-analyzer>false</critical-analyzer>
  <max-disk-usage>99</max-disk-usage>
  <acceptors>
    {{range .Acceptors}}<acceptor name="{{.Name}}">{{.URI}}</acceptor>
    {{end}}</acceptors>
  <security-settings>
    <security-setting match="#">
      {{range .Permissions}}<permission type="{{.Type}}" roles="{{.Roles}}"/>
      {{end}}</security-setting>
  </security-settings>
  <address-settings>
    {{range .Settings}}{{.}}
    {{end}}<address-setting match="#">
      <dead-letter-address>DLQ</dead-letter-address>
      <expiry-address>ExpiryQueue</expiry-address>
      <redelivery-delay>0</redelivery-delay>
      <address-full-policy>PAGE</address-full-policy>
      <auto-delete-queues>false</auto-delete-queues>
      <auto-delete-addresses>false</auto-delete-addresses>
    </address-setting>
  </address-settings>
  <addresses>
    <address name="DLQ"><anycast><queue name="DLQ"/></anycast></address>
    <address name="ExpiryQueue"><anycast><queue name="ExpiryQueue"/></anycast></address>
  </addresses>
</core></configuration>
`))

// artemisCommand writes an Artemis instance into b.dir and returns the command that starts it.
func (b *Broker) artemisCommand() (*exec.Cmd, string, error) {
	type pair struct{ Name, URI string }
	type permission struct{ Type, Roles string }
	data := struct {
		Dir         string
		Acceptors   []pair
		Permissions []permission
		Settings    []string
	}{Dir: b.dir, Settings: b.opts.ArtemisSettings}
	for _, scheme := range schemes {
		protocols := map[string]string{"stomp": "STOMP", "tcp": "CORE,OPENWIRE", "amqp": "AMQP"}[strings.TrimSuffix(scheme, "+ssl")]
		if scheme == "ssl" {
			protocols = "CORE,OPENWIRE"
		}
		uri := fmt.Sprintf("tcp://127.0.0.1:%d?protocols=%s", b.ports[scheme], protocols)
		if secure(scheme) {
			uri += ";sslEnabled=true;keyStoreType=PKCS12;keyStorePath=" + b.certs.keyStore(b.opts.Certificate) + ";keyStorePassword=" + storePassword
		}
		if o := b.opts.ConnectorOptions; o != "" {
			uri += ";" + strings.ReplaceAll(o, "&", ";")
		}
		data.Acceptors = append(data.Acceptors, pair{strings.ReplaceAll(scheme, "+", "-"), uri})
	}
	for _, p := range []struct{ types, roles string }{
		{"createNonDurableQueue deleteNonDurableQueue createDurableQueue deleteDurableQueue createAddress deleteAddress", "apps,admins"},
		{"consume browse", "apps,readers,admins"},
		{"send", "apps,writers,admins"},
		{"manage", "admins"},
	} {
		for t := range strings.FieldsSeq(p.types) {
			data.Permissions = append(data.Permissions, permission{t, p.roles})
		}
	}
	etc := filepath.Join(b.dir, "etc")
	if err := errors.Join(os.MkdirAll(etc, 0o755), os.MkdirAll(filepath.Join(b.dir, "tmp"), 0o755)); err != nil {
		return nil, "", fmt.Errorf("making the instance: %w", err)
	}
	if err := writeTemplate(filepath.Join(etc, "broker.xml"), artemisXML, data); err != nil {
		return nil, "", err
	}
	roles := map[string][]string{}
	var users strings.Builder
	for _, u := range Users() {
		fmt.Fprintf(&users, "%s = %s\n", u.Name, u.Password)
		roles[u.Role] = append(roles[u.Role], u.Name)
	}
	var roleLines strings.Builder
	for role, names := range roles {
		fmt.Fprintf(&roleLines, "%s = %s\n", role, strings.Join(names, ","))
	}
	for name, content := range map[string]string{
		"artemis-users.properties": users.String(),
		"artemis-roles.properties": roleLines.String(),
		"login.config": `activemq {
  org.apache.activemq.artemis.spi.core.security.jaas.PropertiesLoginModule required
    reload=true
    org.apache.activemq.jaas.properties.user="artemis-users.properties"
    org.apache.activemq.jaas.properties.role="artemis-roles.properties";
};
`,
		"bootstrap.xml": `<broker xmlns="http://activemq.apache.org/schema"><jaas-security domain="activemq"/>` +
			`<server configuration="file:` + filepath.Join(etc, "broker.xml") + `"/></broker>`,
		"management.xml": `<management-context xmlns="http://activemq.apache.org/schema"/>`,
	} {
		if err := os.WriteFile(filepath.Join(etc, name), []byte(content), 0o600); err != nil {
			return nil, "", fmt.Errorf("writing the instance: %w", err)
		}
	}
	logging, err := b.writeLogging()
	if err != nil {
		return nil, "", err
	}
	cmd := exec.Command(
		"java", "-Xmx"+b.opts.heap(), "-Dlog4j2.configurationFile="+logging, "-Dlog4j2.disableJmx=true",
		"--add-opens", "java.base/jdk.internal.misc=ALL-UNNAMED",
		"-Djava.security.auth.login.config="+filepath.Join(etc, "login.config"),
		"-cp", filepath.Join(b.home, "lib", "artemis-boot.jar"),
		"-Dartemis.home="+b.home, "-Dartemis.instance="+b.dir, "-Dartemis.instance.etc="+etc,
		"-Ddata.dir="+filepath.Join(b.dir, "data"), "-Djava.io.tmpdir="+filepath.Join(b.dir, "tmp"),
		"org.apache.activemq.artemis.boot.Artemis", "run",
	)
	return cmd, "AMQ221007: Server is now active", nil
}
