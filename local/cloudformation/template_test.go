package cloudformation

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"

	"portolan/stacks"
)

func mustParse(t *testing.T, body string) *Template {
	t.Helper()
	template, err := Parse([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return template
}

// scope is one in which every resource X has the name x-X and attributes x-X.A.
func testScope() Scope {
	return Scope{
		Parameters: map[string]any{"Name": "web", "Count": "3", "Subnets": []any{"subnet-1", "subnet-2"}},
		Pseudo: Pseudo{
			AccountID: "111122223333", Region: "eu-west-1", StackName: "teststack",
			StackID: "arn:aws:cloudformation:eu-west-1:111122223333:stack/teststack/1",
		},
		Lookup: func(id, attribute string) (any, error) {
			if attribute != "" {
				return "x-" + id + "." + attribute, nil
			}
			return "x-" + id, nil
		},
		Import: func(name string) (string, error) { return "imported " + name, nil },
	}
}

const intrinsics = `
Mappings:
  Sizes: {eu-west-1: {small: t3.small, list: [a, b]}}
Conditions:
  IsWeb: !Equals [!Ref Name, web]
  IsDb: !Equals [!Ref Name, db]
  Both: !And [!Condition IsWeb, !Condition IsDb]
  Either: !Or [!Condition IsWeb, !Condition IsDb]
  Neither: !Not [!Condition Either]
Parameters:
  Name: {Type: String}
  Count: {Type: Number}
  Subnets: {Type: CommaDelimitedList}
Resources:
  Other: {Type: A::B::C}
  It:
    Type: A::B::C
    Properties:
      V: `

func TestIntrinsics(t *testing.T) {
	tests := map[string]struct {
		yaml string
		want any
	}{
		"ref of parameter":       {"!Ref Name", "web"},
		"ref of list":            {"!Ref Subnets", []any{"subnet-1", "subnet-2"}},
		"ref of resource":        {"!Ref Other", "x-Other"},
		"ref of region":          {"!Ref AWS::Region", "eu-west-1"},
		"long form":              {"{Ref: Name}", "web"},
		"get attribute":          {"!GetAtt Other.Arn", "x-Other.Arn"},
		"get nested attribute":   {"!GetAtt Other.Endpoint.Port", "x-Other.Endpoint.Port"},
		"get attribute, list":    {"!GetAtt [Other, Arn]", "x-Other.Arn"},
		"get attribute, long":    {`{"Fn::GetAtt": "Other.Arn"}`, "x-Other.Arn"},
		"sub":                    {`!Sub "${Name} in ${AWS::Region} at ${Other.Arn} of ${Other}"`, "web in eu-west-1 at x-Other.Arn of x-Other"},
		"sub keeps literals":     {`!Sub "a ${!b} $c"`, "a ${b} $c"},
		"sub with variables":     {`!Sub ["${A}-${Name}", {A: !Ref Count}]`, "3-web"},
		"join":                   {`!Join [",", [a, !Ref Name, 3]]`, "a,web,3"},
		"join of a parameter":    {`!Join [",", !Ref Subnets]`, "subnet-1,subnet-2"},
		"join leaves out":        {`!Join [",", [a, !Ref "AWS::NoValue"]]`, "a"},
		"select":                 {`!Select [1, !Ref Subnets]`, "subnet-2"},
		"select by string":       {`!Select ["0", [a, b]]`, "a"},
		"split":                  {`!Split ["|", "a|b"]`, []any{"a", "b"}},
		"if holds":               {`!If [IsWeb, 1, 2]`, int64(1)},
		"if does not":            {`!If [IsDb, 1, 2]`, int64(2)},
		"if both":                {`!If [Both, 1, 2]`, int64(2)},
		"if either":              {`!If [Either, 1, 2]`, int64(1)},
		"if neither":             {`!If [Neither, 1, 2]`, int64(2)},
		"if leaves out":          {`[!If [IsWeb, !Ref "AWS::NoValue", 2], 3]`, []any{int64(3)}},
		"find in map":            {`!FindInMap [Sizes, !Ref "AWS::Region", small]`, "t3.small"},
		"find a list in map":     {`!FindInMap [Sizes, eu-west-1, list]`, []any{"a", "b"}},
		"find in map or default": {`!FindInMap [Sizes, x, y, {DefaultValue: z}]`, "z"},
		"import":                 {`!ImportValue vpc`, "imported vpc"},
		"import of a sub":        {`Fn::ImportValue: !Sub "${Name}-vpc"`, "imported web-vpc"},
		"base64":                 {`!Base64 hello`, "aGVsbG8="},
		"zones":                  {`!GetAZs ""`, []any{"eu-west-1a", "eu-west-1b", "eu-west-1c"}},
		"zones elsewhere":        {`!GetAZs us-east-1`, []any{"us-east-1a", "us-east-1b", "us-east-1c"}},
		"cidr":                   {`!Cidr [10.0.0.0/16, 3, 12]`, []any{"10.0.0.0/20", "10.0.16.0/20", "10.0.32.0/20"}},
		"cidr of eight bits":     {`!Cidr [10.0.0.0/24, 1]`, []any{"10.0.0.0/24"}},
		"cidr of IPv6":           {`!Cidr ["2001:db8::/56", 2, 64]`, []any{"2001:db8::/64", "2001:db8:0:1::/64"}},
		"length":                 {`!Length [a, b]`, int64(2)},
		"to JSON":                {`!ToJsonString {b: 1, a: !Ref Name}`, `{"a":"web","b":1}`},
		"dates are strings":      {`{Version: 2012-10-17}`, map[string]any{"Version": "2012-10-17"}},
		"scalars keep types":     {`[1, 1.5, true, "1", text]`, []any{int64(1), 1.5, true, "1", "text"}},
		"a policy's condition":   {`{Condition: {StringEquals: {a: b}}}`, map[string]any{"Condition": map[string]any{"StringEquals": map[string]any{"a": "b"}}}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			body := intrinsics + "\n        " + test.yaml + "\n"
			if !strings.Contains(test.yaml, "Fn::ImportValue:") {
				body = intrinsics + test.yaml + "\n"
			}
			resolved, err := mustParse(t, body).Resolve(testScope())
			if err != nil {
				t.Fatal(err)
			}
			if got := resolved[0].Properties["V"]; !reflect.DeepEqual(got, test.want) {
				t.Errorf("%s gives %#v, want %#v", test.yaml, got, test.want)
			}
		})
	}
}

func TestIntrinsicsThatAreWrong(t *testing.T) {
	tests := map[string]string{
		`!Select [5, [a]]`:          "Fn::Select  cannot select nonexistent value at index 5",
		`!Select [x, [a]]`:          "Fn::Select requires a list argument with two elements",
		`!Join [a]`:                 "every Fn::Join object requires two parameters",
		`!Join [a, [{b: c}]]`:       "every Fn::Join object requires two parameters",
		`!Split ["", a]`:            "every Fn::Split object requires two parameters",
		`!FindInMap [Sizes, a, b]`:  "Unable to get mapping for Sizes::a::b",
		`!FindInMap [Sizes]`:        "requires three parameters",
		`!If [Nope, 1, 2]`:          "Unresolved condition dependency Nope",
		`!If [IsWeb]`:               "Fn::If requires a list argument with three elements",
		`!Sub [a]`:                  "Fn::Sub intrinsic functions don't specify expected arguments",
		`!Cidr [10.0.0.0/30, 9, 1]`: "cannot make 9 ranges",
		`!Cidr [elsewhere, 1]`:      "elsewhere is not a valid CIDR block",
		`!GetAtt Other`:             "requires two non-empty parameters",
		`{"Fn::Magic": 1}`:          "Unrecognized function Fn::Magic",
	}
	for yaml, want := range tests {
		t.Run(yaml, func(t *testing.T) {
			_, err := mustParse(t, intrinsics+yaml+"\n").Resolve(testScope())
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("error is %v, want one with %q", err, want)
			}
		})
	}
}

func TestTemplatesThatAreRefused(t *testing.T) {
	one := "Resources: {A: {Type: X::Y::Z}}\n"
	tests := map[string]struct{ body, want string }{
		"empty":            {" \n", "Member must have length greater than or equal to 1"},
		"text":             {"hello", "Template format error: unsupported structure."},
		"broken YAML":      {"a: [", "Template format error: YAML not well-formed."},
		"broken JSON":      {`{"a": `, "Template format error: JSON not well-formed."},
		"no resources":     {"Description: x", "At least one Resources member must be defined."},
		"no type":          {"Resources: {A: {}}", "[/Resources/A] Every Resources object must contain a Type member."},
		"bad name":         {"Resources: {A-B: {Type: X}}", "Resource name A-B is non alphanumeric."},
		"unknown section":  {one + "Resuorces: {}", "Invalid template property or properties [Resuorces]"},
		"bad version":      {one + "AWSTemplateFormatVersion: 2020-01-01", "Unsupported or invalid TemplateFormatVersion"},
		"alias":            {"A: &a b\nB: *a", "YAML aliases are not allowed"},
		"duplicate key":    {"Resources: {}\nResources: {}", "duplicate key"},
		"unknown tag":      {"Resources: {A: {Type: X, Properties: {V: !Magic x}}}", "unknown tag !Magic"},
		"unknown ref":      {"Resources: {A: {Type: X, Properties: {V: !Ref B}}}", "Unresolved resource dependencies [B] in the Resources block"},
		"unknown sub":      {"Resources: {A: {Type: X, Properties: {V: !Sub 'a ${B.C}'}}}", "Unresolved resource dependencies [B] in the Resources block"},
		"unknown output":   {one + "Outputs: {O: {Value: !GetAtt B.C}}", "Unresolved resource dependencies [B] in the Outputs block"},
		"output's value":   {one + "Outputs: {O: {}}", "The Value field of every Outputs member must be specified"},
		"depends on":       {"Resources: {A: {Type: X, DependsOn: B}}", "Unresolved resource dependencies [B]"},
		"condition":        {"Resources: {A: {Type: X, Condition: C}}", "Unresolved condition dependency C"},
		"parameter's type": {one + "Parameters: {P: {Type: Text}}", "Unrecognized parameter type: Text"},
		"pattern":          {one + "Parameters: {P: {Type: String, AllowedPattern: '('}}", "is no regular expression"},
		"deep":             {strings.Repeat("[", 200) + strings.Repeat("]", 200), "Template format error"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := Parse([]byte(test.body))
			var refused *TemplateError
			if !errors.As(err, &refused) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error is %v, want a TemplateError with %q", err, test.want)
			}
		})
	}
}

func TestJSONReadsAsYAMLDoes(t *testing.T) {
	fromJSON := mustParse(t, "{\n\t\"Resources\": {\"A\": {\"Type\": \"X\", \"Properties\": {\"N\": 1, \"R\": {\"Ref\": \"AWS::Region\"}}}}}")
	fromYAML := mustParse(t, "Resources: {A: {Type: X, Properties: {N: 1, R: !Ref AWS::Region}}}")
	if !reflect.DeepEqual(fromJSON, fromYAML) {
		t.Errorf("JSON reads as %+v, YAML as %+v", fromJSON, fromYAML)
	}
}

func TestParameterValues(t *testing.T) {
	template := mustParse(t, `
Resources: {A: {Type: X}}
Parameters:
  Name: {Type: String, AllowedPattern: "[a-z]+", Default: web}
  Size: {Type: Number, MinValue: 1, MaxValue: 5, Default: 2}
  Kind: {Type: String, AllowedValues: [EC2, FARGATE], Default: EC2}
  Long: {Type: String, MinLength: 2, MaxLength: 4, Default: abc, ConstraintDescription: is two to four letters.}
  Subnets: {Type: "List<AWS::EC2::Subnet::Id>", Default: "subnet-1, subnet-2"}
  Image: {Type: "AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>", Default: /image}
  Must: {Type: String}
`)
	source := Source{
		SSMParameter: func(_ context.Context, name string) (string, error) {
			if name != "/image" {
				return "", errors.New("ParameterNotFound")
			}
			return "ami-1", nil
		},
		Exists: func(_ context.Context, _, value string) (bool, error) { return value != "subnet-9", nil },
	}
	values, err := template.ParameterValues(t.Context(), map[string]string{"Must": "x"}, source)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"Name": "web", "Size": "2", "Kind": "EC2", "Long": "abc", "Image": "ami-1", "Must": "x",
		"Subnets": []any{"subnet-1", "subnet-2"},
	}
	if !reflect.DeepEqual(values, want) {
		t.Errorf("values are %v, want %v", values, want)
	}
	refused := map[string]struct{ name, value, want string }{
		"missing":   {"Name", "web", "Parameters: [Must] must have values"},
		"unknown":   {"Nome", "web", "Parameters: [Nome] do not exist in the template"},
		"pattern":   {"Name", "WEB", "Parameter 'Name' must match pattern [a-z]+"},
		"number":    {"Size", "two", "Parameter 'Size' must be a number."},
		"too small": {"Size", "0", "Parameter 'Size' must be a number not less than 1"},
		"too large": {"Size", "6", "Parameter 'Size' must be a number not greater than 5"},
		"allowed":   {"Kind", "EKS", "Parameter 'Kind' must be one of AllowedValues"},
		"length":    {"Long", "a", "Parameter Long failed to satisfy constraint: is two to four letters."},
		"exists":    {"Subnets", "subnet-1,subnet-9", "Parameter validation failed: parameter value subnet-9 for parameter name Subnets does not exist"},
		"SSM":       {"Image", "/other", "Unable to fetch parameters [/other] from parameter store for this account."},
	}
	for name, test := range refused {
		given := map[string]string{test.name: test.value}
		if name != "missing" {
			given["Must"] = "x"
		}
		_, err := template.ParameterValues(t.Context(), given, source)
		if err == nil || err.Error() != test.want {
			t.Errorf("%s: error is %v, want %s", name, err, test.want)
		}
	}
}

func TestStacksTemplatesParseAndRulesHold(t *testing.T) {
	for _, name := range stacks.Names() {
		body, err := stacks.Template(name)
		if err != nil {
			t.Fatal(err)
		}
		mustParse(t, body)
	}
	body, _ := stacks.Template("ecs")
	template := mustParse(t, body)
	given := map[string]string{
		"ClusterName": "a", "VpcId": "vpc-1", "SubnetIds": "subnet-1", "LoadBalancerSubnetIds": "subnet-1",
		"AdminCidr": "0.0.0.0/0",
	}
	resolve := func() error {
		values, err := template.ParameterValues(t.Context(), given, Source{})
		if err != nil {
			t.Fatal(err)
		}
		scope := testScope()
		scope.Parameters = values
		_, err = template.Resolve(scope)
		return err
	}
	if err := resolve(); err == nil || !strings.Contains(err.Error(), "opens port 22 of the nodes to the world") {
		t.Errorf("an admin port open to the world gives %v", err)
	}
	given["OpenAdminPortToTheWorld"] = "yes"
	if err := resolve(); err != nil {
		t.Errorf("said in so many words: %v", err)
	}
	given["OpenAdminPortToTheWorld"], given["AdminCidr"], given["IngressPort"] = "no", "", "2375"
	if err := resolve(); err == nil || !strings.Contains(err.Error(), "is an administrator's port") {
		t.Errorf("Docker's port open to the world gives %v", err)
	}
}

func TestDependenciesFollowTheBranchThatIsTaken(t *testing.T) {
	body := `
Conditions: {Yes: !Equals [a, a], No: !Equals [a, b]}
Resources:
  A: {Type: X}
  B: {Type: X, Condition: No}
  C: {Type: X, DependsOn: [A, B], Properties: {V: !If [Yes, !Ref A, !Ref B]}}
  D: {Type: X, Properties: {V: !Sub "${C.Arn} ${!A}"}}
`
	r, err := mustParse(t, body).Resolver(testScope())
	if err != nil {
		t.Fatal(err)
	}
	needs, err := r.dependencies()
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]string{"A": nil, "C": {"A"}, "D": {"C"}}
	if !reflect.DeepEqual(needs, want) {
		t.Errorf("dependencies are %v, want %v", needs, want)
	}
}

func TestDependenciesThatCannotBe(t *testing.T) {
	tests := map[string]string{
		"Resources: {A: {Type: X, DependsOn: B}, B: {Type: X, Properties: {V: !Ref A}}}": "Circular dependency between resources: [A, B]",
		"Conditions: {No: !Equals [a, b]}\nResources: {A: {Type: X, Condition: No}, B: {Type: X, Properties: {V: !Ref A}}}": "Template format error: " +
			"Unresolved resource dependencies [A] in the Resources block of the template",
	}
	for body, want := range tests {
		r, err := mustParse(t, body).Resolver(testScope())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.dependencies(); err == nil || err.Error() != want {
			t.Errorf("error is %v, want %s", err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	// Small seeds only: the fuzzer spends its time on making large ones smaller.
	f.Add([]byte(intrinsics + "!Cidr [10.0.0.0/16, 3, 12]"))
	f.Fuzz(func(t *testing.T, body []byte) {
		template, err := Parse(body)
		var refused *TemplateError
		if err != nil && !errors.As(err, &refused) {
			t.Fatalf("refused with %T, want a TemplateError: %v", err, err)
		}
		if err != nil {
			return
		}
		r, err := template.Resolver(testScope())
		if err != nil {
			return
		}
		if _, err := r.dependencies(); err == nil {
			template.Resolve(testScope())
		}
	})
}
