#!/usr/bin/env escript
%%! -kernel logger_level notice
-module(t04_enter_calls).
-mode(compile).
-compile([export_all, nowarn_export_all, nowarn_unused_function, nowarn_shadow_vars]).

%% T04  T4: when enter calls are made and with which old state, what they may ask
%% for, and what a machine ends with that asks for more.
run() ->
    process_flag(trap_exit, true),
    P = start(a, #{a => {keep_state, #{b => {keep_state_and_data, [{state_timeout, 30, entered}]}}}}, [{next_event, internal, from_init}]),
    ev(obs, '---', change), gen_statem:cast(P, {change, {next_state, b, #{b => {keep_state_and_data, [{state_timeout, 30, entered}]}}}}), timer:sleep(80),
    ev(obs, '---', no_change), gen_statem:cast(P, {same, {next_state, b, #{}}}), gen_statem:cast(P, {keep, {keep_state, #{}}}), sys:get_state(P),
    ev(obs, '---', repeat), gen_statem:cast(P, {repeat, {repeat_state, #{}}}), sys:get_state(P),
    ev(obs, '---', repeated_by_itself),
    gen_statem:cast(P, {change, {next_state, c, #{c => {repeat_state, #{c => {keep_state, #{}}}}}}}), sys:get_state(P),
    ev(obs, '---', with_a_reply), Yes = call(P, ask, {next_state, d, #{}, [{reply, '$from', yes}]}), timer:sleep(20), ev(obs, call, Yes),
    gen_statem:stop(P),
    ev(obs, '---', forbidden),
    [begin
         Q = start(a, #{}, []), ev(obs, call, call(Q, ask, {next_state, b, #{b => R}})), ev(obs, mailbox, drain())
     end || R <- [{next_state, c, #{}}, {keep_state_and_data, [{next_event, internal, x}]}, {keep_state_and_data, postpone},
                  {keep_state_and_data, [{push_callback_module, nowhere}]}, nonsense, {raise, oops}, {stop, enough}, {stop, enough, #{}}]].

%% A machine that does what the event says: {Tag, Return}; '$from' in Return is
%% the caller.  Its data are what enter calls return, by state.
callback_mode() -> [handle_event_function, state_enter].
init({State, Data, Actions}) -> {ok, State, Data, Actions}.
handle_event(enter, Old, State, Data) ->
    State =:= slow andalso timer:sleep(20), ev(sm, enter, {Old, State}), answer(maps:get(State, Data, keep_state_and_data), none);
handle_event(Type, {Tag, Return}, State, _) -> ev(sm, type(Type), {Tag, State}), answer(Return, Type);
handle_event(Type, Tag, State, _) -> ev(sm, type(Type), {Tag, State}), keep_state_and_data.
terminate(Reason, State, Data) -> ev(sm, terminate, {Reason, State, Data}).
type({call, _}) -> call;
type({timeout, Name}) -> Name;
type(Type) -> Type.
answer('$from', {call, From}) -> From;
answer({raise, Term}, _) -> error(Term);
answer(T, Type) when is_tuple(T) -> list_to_tuple([answer(X, Type) || X <- tuple_to_list(T)]);
answer([H | T], Type) -> [answer(H, Type) | answer(T, Type)];
answer(T, _) -> T.

start(State, Data, Actions) ->
    {ok, P} = gen_statem:start_link(?MODULE, {State, Data, Actions}, []), name(P, sm), sys:get_state(P), P.
call(P, Tag, Return) ->
    try gen_statem:call(P, {Tag, Return}) catch exit:{Reason, _} -> {exit, Reason} end.
%% All of these lie in the mailbox before the machine looks at the first.
together(P, Events) ->
    sys:suspend(P), [gen_statem:cast(P, E) || E <- Events], sys:resume(P), sys:get_state(P).


%% ---------------------------------------------------------------------------
%% Harness (identical in every scenario file).
%% A trace line is  "<who> <event> <term>".  Pids print as the symbolic name
%% they were introduced under, references as '$ref', stack traces as '$stack'.
%% Reports are left out.
%% ---------------------------------------------------------------------------
main(_) ->
    Me = self(),
    ets:new(names, [named_table, public]),
    ets:new(incarnation, [named_table, public]),
    ets:new(plan, [named_table, public]),
    register(trace_log, spawn(fun() -> log_loop([], []) end)),
    logger:remove_handler(default),
    name(Me, main),
    process_flag(trap_exit, true),
    {P, R} = spawn_monitor(fun() -> name(self(), obs), run() end),
    receive
        {'DOWN', R, process, P, normal} -> ok;
        {'DOWN', R, process, P, Why} -> ev(main, scenario_crashed, Why)
    end,
    timer:sleep(300),                      % let the last reports come in
    trace_log ! {dump, Me},
    receive {lines, Ls, Rs} ->
        [io:put_chars([L, $\n]) || L <- Ls],
        [io:put_chars(["~ ", L, $\n]) || L <- lists:sort(Rs)]
    end,
    halt(0).

%% Ordered events, and reports whose order is not part of the contract.
log_loop(Acc, Rep) ->
    receive
        {ev, From, Ref, Line} -> From ! {Ref, ok}, log_loop([Line | Acc], Rep);
        {report, Line} -> log_loop(Acc, [Line | Rep]);
        {dump, From} -> From ! {lines, lists:reverse(Acc), Rep}
    end.

%% Synchronous: the event is on record before the caller goes on.
ev(Who, Event, Term) ->
    Ref = make_ref(),
    trace_log ! {ev, self(), Ref, line(Who, Event, Term)},
    receive {Ref, ok} -> ok end.

line(Who, Event, Term) ->
    unicode:characters_to_list(io_lib:format("~ts ~ts ~0tp", [str(Who), str(Event), clean(Term)])).
report(Event, Term) -> trace_log ! {report, line(log, Event, Term)}, ok.

str(X) when is_atom(X) -> atom_to_list(X);
str(X) when is_pid(X) -> str(clean(X));
str(X) -> io_lib:format("~0tp", [X]).

name(Pid, N) -> ets:insert(names, {Pid, N}), N.

%% The label for the next incarnation of Id: c1#1, c1#2, ...
next(Id) ->
    N = ets:update_counter(incarnation, Id, 1, {Id, 0}),
    L = list_to_atom(atom_to_list(Id) ++ "#" ++ integer_to_list(N)),
    name(self(), L), {L, N}.

clean(P) when is_pid(P) ->
    case ets:lookup(names, P) of [{_, N}] -> N; [] -> '$pid' end;
clean(R) when is_reference(R) -> '$ref';
clean(F) when is_function(F) -> '$fun';
clean([{M, F, A, L} | _]) when is_atom(M), is_atom(F), is_list(L),
                               (is_integer(A) orelse is_list(A)) -> '$stack';
clean([H | T]) -> [clean(H) | clean(T)];
clean(T) when is_tuple(T) -> list_to_tuple([clean(X) || X <- tuple_to_list(T)]);
clean(M) when is_map(M) -> maps:map(fun(_, V) -> clean(V) end, M);
clean(X) -> X.

drain() -> receive M -> [clean(M) | drain()] after 50 -> [] end.
wait(F) -> wait(F, 400).
wait(_, 0) -> timeout;
wait(F, N) -> case F() of true -> ok; _ -> timer:sleep(5), wait(F, N - 1) end.
