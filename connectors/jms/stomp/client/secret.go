package client

import (
	"encoding/base64"
	"strings"
)

// shortSecret is the length below which a password is not looked for: it would be found in words that are none, and what
// is missing there would tell it.
const shortSecret = 4

// secretsOf returns what takes the password out of a text, in the forms in which a peer or a proxy may repeat it.
func secretsOf(cfg Config) *strings.Replacer {
	if len(cfg.Passcode) < shortSecret {
		return strings.NewReplacer()
	}
	forms := []string{cfg.Passcode, string(appendEscaped(nil, cfg.Passcode))}
	for _, s := range []string{cfg.Login + ":" + cfg.Passcode, cfg.Passcode} {
		for _, e := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding, base64.RawStdEncoding, base64.RawURLEncoding} {
			forms = append(forms, e.EncodeToString([]byte(s)))
		}
	}
	pairs := make([]string, 0, 2*len(forms))
	for _, f := range forms {
		pairs = append(pairs, f, "[REDACTED]")
	}
	return strings.NewReplacer(pairs...)
}
