package config

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"unicode/utf8"

	"github.com/go-viper/mapstructure/v2"
	"github.com/spf13/viper"
)

// maxFile is the most bytes of a configuration file: some thousand routes.
const maxFile = 1 << 20

// Option changes how a configuration is loaded.
type Option func(*references)

// WithEnv looks up ${env:…} by lookup instead of os.LookupEnv.
func WithEnv(lookup func(name string) (value string, ok bool)) Option {
	return func(r *references) { r.lookupEnv = lookup }
}

// WithResolver looks up secrets of another scheme, "secretsmanager" or "ssm". It is called by [Secret.Reveal] only,
// never by Load.
func WithResolver(scheme string, resolve Resolver) Option {
	return func(r *references) { r.resolvers[scheme] = resolve }
}

// WithTemplateCheck has templates judged by check, which knows their expressions.
func WithTemplateCheck(check func(template string) error) Option {
	return func(r *references) { r.template = check }
}

// WithURLCheck has the URLs of brokers judged by check, which knows their ports and options.
func WithURLCheck(check func(url string) error) Option {
	return func(r *references) { r.brokerURL = check }
}

// WithExpressionCheck has jq programs judged by check.
func WithExpressionCheck(check func(program string) error) Option {
	return func(r *references) { r.jq = check }
}

// WithPatternCheck has event patterns judged by check, which knows their operators.
func WithPatternCheck(check func(tree map[string]any) []PatternProblem) Option {
	return func(r *references) { r.pattern = check }
}

// Load reads, checks and completes the configuration in a file. Nothing is dialled. When the file can't be read the
// error is the system's; else it is an [*Error] with every mistake.
func Load(path string, opts ...Option) (*Config, error) {
	data, err := readRegular(path, maxFile)
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	return Parse(path, data, append(slices.Clip(opts), func(r *references) { r.openFiles = true })...)
}

// Parse is Load for bytes: path names them in errors, and its folder is where relative references begin. The files of
// certificates are not looked for.
func Parse(path string, data []byte, opts ...Option) (*Config, error) {
	refs := &references{folder: filepath.Dir(path), lookupEnv: os.LookupEnv, resolvers: map[string]Resolver{}}
	for _, o := range opts {
		o(refs)
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff")) // the byte order mark of some editors
	l := newProblemList(path)
	if at, b := notUTF8(data); at != (position{}) {
		l.addAt(at, "", fmt.Sprintf("this is no UTF-8: the byte 0x%02x is no character", b), "save the file as UTF-8")
		return nil, l.err()
	}
	if l.tree = parseTree(data, l); l.tree == nil {
		return nil, l.err()
	}
	var values map[string]any
	if root := l.tree.resolve(l.tree.root); root != nil {
		s := &structure{problemList: l, refs: refs}
		values = s.block(root, reflect.TypeFor[Config](), "")
		if s.spent {
			return nil, l.err() // the rest was not read, and would seem to be missing
		}
	}
	c, err := decode(values, refs)
	if err != nil {
		return nil, fmt.Errorf("decoding %s: %w", path, err) // the structure above lets nothing through that can't be decoded
	}
	c.File = path
	c.resolvePaths(refs)
	validate(c, l, refs)
	if err := l.err(); err != nil {
		return nil, err
	}
	return c, nil
}

// notUTF8 returns the first byte that is no UTF-8, and its place; the zero position: there is none. Latin-1 and UTF-16
// would be read as something else.
func notUTF8(data []byte) (position, byte) {
	line := 0
	for text := range bytes.Lines(data) {
		line++
		for i := 0; i < len(text); {
			r, size := utf8.DecodeRune(text[i:])
			if r == utf8.RuneError && size == 1 {
				return position{line: line, column: i + 1}, text[i]
			}
			i += size
		}
	}
	return position{}, 0
}

// decode reads values, as structure found them right, into the tree with viper.
func decode(values map[string]any, refs *references) (*Config, error) {
	v := viper.NewWithOptions(viper.KeyDelimiter("::"))
	if err := v.MergeConfigMap(values); err != nil {
		return nil, err
	}
	c := Default()
	err := v.UnmarshalExact(c, func(dc *mapstructure.DecoderConfig) {
		dc.WeaklyTypedInput = false
		dc.MatchName = func(key, name string) bool { return key == name }
		dc.DecodeHook = mapstructure.DecodeHookFuncValue(refs.hook)
	})
	return c, err
}

// hook turns what is written as a string into the leaf types of the tree, and gives each block its defaults before its
// keys are read.
func (r *references) hook(from, to reflect.Value) (any, error) {
	t := to.Type()
	switch {
	case from.Kind() == reflect.Map && isBlock(t) && to.CanSet() && to.IsZero():
		to.Set(defaults(t))
		return from.Interface(), nil
	case from.Kind() == reflect.String:
		return r.leaf(from.String(), t)
	case t == durationType || t == sizeType:
		return nil, fmt.Errorf("expected a string with a unit, found %v", from.Interface())
	default:
		return from.Interface(), nil
	}
}

// leaf returns what a string stands for in a key of type t.
func (r *references) leaf(s string, t reflect.Type) (any, error) {
	switch {
	case t == secretType:
		return r.secret(s)
	case t == patternType:
		if len(r.patterns[s]) == 0 {
			return Pattern{}, nil
		}
		return Pattern{Tree: r.patterns[s]}, nil
	case t.Kind() == reflect.Pointer:
		return s, nil // comes again for what it points to
	}
	value, err := r.expand(s, t == templateType || t == expressionType)
	if err != nil {
		return nil, err
	}
	switch t {
	case durationType:
		return parseDuration(value)
	case sizeType:
		return ParseSize(value)
	case deadLetterType:
		if value != "drop" {
			return nil, fmt.Errorf("expected sqs, jms or the word drop, found %q", value)
		}
		return DeadLetter{Drop: true}, nil
	case replyFromType:
		if value != "call" {
			return nil, fmt.Errorf("expected sqs, jms or the word call, found %q", value)
		}
		return ReplyFrom{Call: true}, nil
	default:
		return value, nil
	}
}

// resolvePaths makes the paths of files that the configuration refers to independent of the working directory.
func (c *Config) resolvePaths(r *references) {
	paths := []*string{&c.AWS.CABundle}
	if c.Store.Bolt != nil {
		paths = append(paths, &c.Store.Bolt.Path)
	}
	for i := range c.Brokers {
		t := &c.Brokers[i].TLS
		paths = append(paths, &t.CAFile, &t.CertFile, &t.KeyFile)
	}
	for i := range c.Routes {
		for j := range c.Routes[i].To {
			if t := c.Routes[i].To[j].File; t != nil && t.Path != "-" {
				paths = append(paths, &t.Path)
			}
		}
	}
	for _, p := range paths {
		if *p != "" {
			*p = r.path(*p)
		}
	}
}
