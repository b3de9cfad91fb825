package aws_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/connectors/aws"
)

func TestWordsOfAPeerAreShort(t *testing.T) {
	for _, code := range []string{strings.Repeat("C", 2<<20), strings.Repeat("é", 1<<20), "a#" + strings.Repeat("C.", 1<<20)} {
		e := aws.Answered(code, strings.Repeat("long ", 1<<20), 400)
		if len(e.Code) == 0 || len(e.Code) > 128 || len(e.Error()) > 700 {
			t.Errorf("a code of %d bytes, a text of %d", len(e.Code), len(e.Error()))
		}
	}
	e := aws.Answered("Evil\x1b[2J\nCode", "\x1b[31mred\x1b]0;title\x07 \r FAKE\u009b1m", 400)
	if strings.ContainsFunc(e.Error()+e.Code, func(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 }) || !strings.Contains(e.Error(), "FAKE") {
		t.Errorf("%q, %q", e.Code, e.Error())
	}
}

func TestAHostileAnswerMakesShortErrors(t *testing.T) {
	environment(t, "AKIDEXAMPLE", "secret", "")
	long := strings.Repeat("C", 2<<20)
	for name, answer := range map[string]http.HandlerFunc{
		"__type": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(400)
			_, _ = fmt.Fprintf(w, `{"__type":%q,"message":%q}`, long, long)
		},
		"code": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(400)
			_, _ = fmt.Fprintf(w, `{"code":%q}`, long)
		},
		"headers": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Amzn-Query-Error", long[:20<<10]+";Sender")
			w.Header().Set("X-Amzn-Requestid", long[:20<<10])
			w.WriteHeader(400)
		},
		"error type": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Amzn-Errortype", long[:20<<10])
			w.WriteHeader(400)
		},
		"no JSON": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(502)
			_, _ = fmt.Fprint(w, long)
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(answer)
			defer server.Close()
			e := post(t, client(t, aws.Settings{}), server.URL)
			if e == nil || len(e.Code) > 128 || len(e.RequestID) > 128 || len(e.Error()) > 700 {
				t.Errorf("a code of %d bytes, an id of %d, a text of %d", len(e.Code), len(e.RequestID), len(e.Error()))
			}
		})
	}
}

// An endpoint, or a proxy before it, repeats what it was sent, in one line.
func TestAnEchoOfTheRequestShowsNoCredentials(t *testing.T) {
	const secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
	for _, sessionToken := range []string{"", "short/token+of=24chars==", strings.Repeat("IQoJb3JpZ2luX2VjE/+", 60) + "=="} {
		environment(t, "ASIAIOSFODNN7EXAMPLE", secret, sessionToken)
		for name, echo := range map[string]func(w http.ResponseWriter, auth, token string){
			"in JSON": func(w http.ResponseWriter, auth, token string) {
				text, _ := json.Marshal("denied: Authorization=" + auth + " X-Amz-Security-Token=" + token + " key " + secret)
				w.WriteHeader(http.StatusForbidden)
				_, _ = fmt.Fprintf(w, `{"__type":"AccessDenied","message":%s}`, strings.ReplaceAll(string(text), "/", `\/`))
			},
			"as text": func(w http.ResponseWriter, auth, token string) {
				w.WriteHeader(http.StatusForbidden)
				_, _ = fmt.Fprint(w, "token "+token+"\nkey "+secret+"\n"+auth)
			},
			"after much text": func(w http.ResponseWriter, auth, token string) {
				w.WriteHeader(http.StatusForbidden)
				text, _ := json.Marshal(strings.Repeat("x ", 240) + token + secret + auth)
				_, _ = fmt.Fprintf(w, `{"message":%s}`, text)
			},
			"escaped": func(w http.ResponseWriter, auth, token string) {
				w.WriteHeader(http.StatusForbidden)
				_, _ = fmt.Fprint(w, "/?t="+url.QueryEscape(token)+"&k="+url.QueryEscape(secret)+"&a="+url.QueryEscape(auth))
			},
			"as code and id": func(w http.ResponseWriter, auth, token string) {
				_, signature, _ := strings.Cut(auth, "Signature=")
				w.Header().Set("X-Amzn-Requestid", secret)
				w.Header().Set("X-Amzn-Query-Error", signature+token+";Sender")
				w.WriteHeader(http.StatusForbidden)
			},
		} {
			t.Run(fmt.Sprint(name, ", a token of ", len(sessionToken)), func(t *testing.T) {
				var auth string
				server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					auth = r.Header.Get("Authorization")
					echo(w, auth, r.Header.Get("X-Amz-Security-Token"))
				}))
				defer server.Close()
				e := post(t, client(t, aws.Settings{}), server.URL)
				if e == nil || e.Class != bridge.Fatal {
					t.Fatalf("%+v", e)
				}
				_, signature, _ := strings.Cut(auth, "Signature=")
				shown := e.Error() + " " + e.Code + " " + e.RequestID
				for _, part := range []string{secret[:8], secret[30:], signature[:8], signature[50:], "IQoJb3", "short/tok", "IOSFODNN7EXAMPLE"} {
					if strings.Contains(shown, part) {
						t.Errorf("%q is in %s", part, shown)
					}
				}
			})
		}
	}
}

func TestSTSsWordsShowNoCredentials(t *testing.T) {
	const secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
	environment(t, "AKIAIOSFODNN7EXAMPLE", secret, "")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		_, _ = fmt.Fprintf(w, "<ErrorResponse><Error><Code>AccessDenied</Code><Message>%s %s</Message></Error></ErrorResponse>", secret, r.Header.Get("Authorization"))
	}))
	defer server.Close()
	_, err := client(t, aws.Settings{EndpointURL: server.URL}).CallerIdentity(t.Context())
	if err == nil || strings.Contains(err.Error(), secret[:8]) || !strings.Contains(err.Error(), "Signature=[REDACTED]") {
		t.Errorf("%v", err)
	}
}
