package config

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
)

// Template is a string that may hold ${.path}, taken from each message. References in it are replaced at load; $${
// stays as it is, for the template to read it as a literal ${.
type Template string

// IsLiteral tells that nothing of the template depends on the message: it is a name, though it may hold $${.
func (t Template) IsLiteral() bool {
	return !strings.Contains(strings.ReplaceAll(string(t), "$${", ""), "${")
}

// maxReferenced is the most bytes that a ${file:…} may give. Keys and passwords are far smaller; what is larger is
// the wrong file.
const maxReferenced = 64 << 10

// Resolver looks up a reference of a scheme such as secretsmanager: ref is what follows the colon.
type Resolver func(ctx context.Context, ref string) (string, error)

// references replaces references. It is safe for concurrent use.
type references struct {
	folder    string // of the configuration file
	lookupEnv func(string) (string, bool)
	resolvers map[string]Resolver // for secrets only
	openFiles bool                // files of certificates must be there
	template  func(string) error  // judges templates; nil: only their braces are
	brokerURL func(string) error  // judges brokers' URLs; nil: only scheme and host are
	jq        func(string) error  // judges jq programs; nil: nobody does
	pattern   func(map[string]any) []PatternProblem

	patterns map[string]map[string]any // what is of free shape, by path; filled while the structure is read
}

// part is a piece of a string: literal text, or a reference.
type part struct {
	text        string
	scheme, ref string // scheme "": text is all there is
}

// split takes a string apart. In a template, ${.…} and $${ belong to the text.
func split(s string, template bool) ([]part, error) {
	var parts []part
	var text strings.Builder
	for s != "" {
		i := strings.Index(s, "${")
		if i < 0 {
			text.WriteString(s)
			break
		}
		if i > 0 && s[i-1] == '$' {
			text.WriteString(s[:i-1])
			text.WriteString(literalBrace(template))
			s = s[i+2:]
			continue
		}
		text.WriteString(s[:i])
		s = s[i:]
		body, rest, closed := strings.Cut(s[2:], "}")
		scheme, ref, ok := strings.Cut(body, ":")
		switch {
		case closed && ok && isScheme(scheme):
			parts = append(parts, part{text: text.String()}, part{scheme: scheme, ref: ref})
			text.Reset()
			s = rest
		case template:
			text.WriteString("${")
			s = s[2:]
		case !closed:
			return nil, errors.New("${ is not closed; write $${ for a literal ${")
		case strings.HasPrefix(body, "."):
			return nil, fmt.Errorf("${%s} is a template, which this key does not take; write $${ for a literal ${", body)
		default:
			return nil, fmt.Errorf("${%s} is no reference; write ${env:NAME} or ${file:PATH}, or $${ for a literal ${", body)
		}
	}
	return append(parts, part{text: text.String()}), nil
}

func literalBrace(template bool) string {
	if template {
		return "$${"
	}
	return "${"
}

func isScheme(s string) bool {
	switch s {
	case "env", "file", "secretsmanager", "ssm":
		return true
	default:
		return false
	}
}

// expand returns s with its references replaced, for a key that is no secret.
func (r *references) expand(s string, template bool) (string, error) {
	parts, err := split(s, template)
	if err != nil {
		return "", err
	}
	for _, p := range parts {
		if p.scheme == "secretsmanager" || p.scheme == "ssm" {
			return "", fmt.Errorf("${%s:…} is for secrets only", p.scheme)
		}
	}
	return r.resolve(context.Background(), parts)
}

// secret returns the Secret that s stands for, after looking its local references up once.
func (r *references) secret(s string) (Secret, error) {
	parts, err := split(s, false)
	if err != nil { // which shows what it is about
		return Secret{}, errors.New("it holds a ${ that is no reference; write ${env:NAME} or ${file:PATH}, or $${ for a literal ${")
	}
	if s == "" {
		return Secret{}, nil
	}
	literal, remote := true, false
	for _, p := range parts {
		switch p.scheme {
		case "":
			continue
		case "secretsmanager", "ssm":
			if r.resolvers[p.scheme] == nil {
				return Secret{}, fmt.Errorf("${%s:…} is not supported yet; write ${env:NAME} or ${file:PATH}", p.scheme)
			}
			remote = true
		}
		literal = false
	}
	if !remote {
		if _, err := r.reveal(context.Background(), parts); err != nil {
			return Secret{}, err
		}
	}
	return Secret{
		reveal:  func(ctx context.Context) (string, error) { return r.reveal(ctx, parts) },
		literal: literal,
	}, nil
}

// reveal is resolve for a secret, which is never empty: a variable that a unit file forgets, or a file that is being
// written, would else be a refused login, or one without a password.
func (r *references) reveal(ctx context.Context, parts []part) (string, error) {
	value, err := r.resolve(ctx, parts)
	if err != nil || value != "" {
		return value, err
	}
	for _, p := range parts {
		if p.scheme != "" {
			return "", fmt.Errorf("${%s:%s} is empty; leave the key out where there is no secret", p.scheme, p.ref)
		}
	}
	return "", nil
}

func (r *references) resolve(ctx context.Context, parts []part) (string, error) {
	var b strings.Builder
	for _, p := range parts {
		value, err := r.value(ctx, p)
		if err != nil {
			return "", err
		}
		b.WriteString(value)
	}
	return b.String(), nil
}

func (r *references) value(ctx context.Context, p part) (string, error) {
	switch p.scheme {
	case "":
		return p.text, nil
	case "env":
		if p.ref == "" {
			return "", errors.New("${env:} names no environment variable")
		}
		value, ok := r.lookupEnv(p.ref)
		if !ok {
			return "", fmt.Errorf("the environment variable %s is not set", p.ref)
		}
		return value, nil
	case "file":
		return r.file(ctx, p.ref)
	default:
		return r.resolvers[p.scheme](ctx, p.ref)
	}
}

// file returns the content of a file without one final newline. It does not wait beyond ctx for a file system that hangs.
func (r *references) file(ctx context.Context, path string) (string, error) {
	type answer struct {
		content []byte
		err     error
	}
	read := make(chan answer, 1)
	go func() {
		content, err := readRegular(r.path(path), maxReferenced)
		read <- answer{content, err}
	}()
	var content []byte
	var err error
	select {
	case a := <-read:
		content, err = a.content, a.err
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	if err != nil {
		return "", fmt.Errorf("reading ${file:%s}: %w", path, err)
	}
	text, cut := strings.CutSuffix(string(content), "\r\n")
	if !cut {
		text = strings.TrimSuffix(text, "\n")
	}
	return text, nil
}

// path returns a path as the process can open it: relative ones are relative to the configuration's folder.
func (r *references) path(p string) string {
	if filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(r.folder, p)
}
